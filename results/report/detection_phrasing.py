"""A detection matrix in words: the same in the terminal and on the page."""

from __future__ import annotations

from results.record.detection import Detection, MatrixRow, Trial
from results.report.phrasing import Mark, mark_of


def trial_mark(trial: Trial) -> Mark:
    """How one run is marked: good if it caught the bug, or raised no alarm about the correct system."""
    return mark_of(None if trial.outcome == "unknown" else trial.outcome in ("caught", "clean"))


def row_mark(row: MatrixRow) -> Mark:
    """How a row is marked: good if every run ended as expected."""
    return mark_of(row.as_expected)


def share_of(row: MatrixRow) -> str:
    """ "3 of 3": the alarms of the runs that could be judged."""
    return f"{row.alarms} of {row.decided}" if row.decided else "–"


def interval(row: MatrixRow) -> str:
    """ "44–100 %": the interval of the share of alarms."""
    return f"{row.low * 100:.0f}–{row.high * 100:.0f} %" if row.decided else "–"


def verdict(detection: Detection) -> str:
    """The whole matrix in one sentence or a few."""
    parts = _of_runs(detection) if detection.seeds else [_of_simulation_alone(detection)]
    searched = [row for row in detection.rows if not row.decided and row.as_expected is False]  # only simulation decided these
    if not_found := [str(row.bug) for row in searched if row.bug is not None]:
        parts.append(f"Not found by simulation: {', '.join(not_found)}.")
    if alarmed := [row.drill for row in detection.rows if row.alarmed_in_simulation]:
        parts.append(f"Simulation raised a false alarm: {', '.join(alarmed)}.")
    if unknown := sum(row.unknown for row in detection.rows):
        parts.append(f"{_count(unknown, 'run')} could not be judged.")
    if lacking := {row.drill for row in detection.rows if row.lacks}:
        parts.append(f"Not run on this machine: {', '.join(sorted(lacking))}.")
    if detection.runs_left:
        parts.append(f"Interrupted: {_count(detection.runs_left, 'run')} left.")
    return " ".join(parts)


def _of_runs(detection: Detection) -> list[str]:
    bugs = [row for row in detection.rows if row.bug is not None]
    correct = [row for row in detection.rows if row.bug is None]
    judged = [row for row in bugs if row.decided]
    missed = [row for row in judged if row.alarms < row.decided]
    runs = sum(row.decided for row in bugs)
    parts = [f"{len(judged) - len(missed)} of {_count(len(judged), 'known bug')} caught in every run that counts ({runs})."]
    if missed:
        parts.append(f"Missed: {', '.join(f'{row.bug} ({share_of(row)} caught)' for row in missed)}.")
    if len(judged) < len(bugs):
        parts.append(f"{_count(len(bugs) - len(judged), 'known bug')} without a run that counts.")
    alarms, clean = sum(row.alarms for row in correct), sum(row.decided for row in correct)
    parts.append(f"{_count(alarms, 'false alarm')} in {_count(clean, 'run')} of the correct systems.")
    return parts


def _of_simulation_alone(detection: Detection) -> str:
    """With `--seeds 0`, which asks for no run."""
    looked = [row.simulated for row in detection.rows if row.bug is not None and row.simulated is not None]
    able = [seen for seen in looked if seen.lacks is None]
    return f"No drill was run. Simulation found {sum(seen.failed > 0 for seen in able)} of {_count(len(able), 'known bug')}."


def surprises(detection: Detection) -> tuple[list[Trial], list[Trial]]:
    """The runs to look into: misses and false alarms; and those that could not be judged."""
    trials = [trial for row in detection.rows for trial in row.trials]
    wrong = [trial for trial in trials if trial.outcome in ("missed", "false alarm")]
    return wrong, [trial for trial in trials if trial.outcome == "unknown"]


def outcome(trial: Trial) -> str:
    """ "caught by linearizable"; "unknown, though linearizable did not hold"."""
    found = ", ".join(trial.found)
    match trial.outcome:
        case "caught" | "false alarm":
            return f"{trial.outcome} by {found}"
        case "unknown" | "missed" if found:
            return f"{trial.outcome}, though {found} did not hold"
        case _:
            return trial.outcome


def simulated(row: MatrixRow) -> str:
    """What simulation found: "found by seed 4, 2.5 s"."""
    seen = row.simulated
    if seen is None:
        return ""
    if seen.lacks is not None:
        return "cannot be simulated"
    searched = (
        f"{seen.seeds:,} seed{'s' * (seen.seeds != 1)}, "
        + (f"{seen.unknown:,} unknown, " if seen.unknown else "")
        + f"{seen.cpu_s:.1f} s"
    )
    if row.bug is None:
        return f"{seen.failed} alarms in {searched}" if seen.failed else f"no alarm in {searched}"
    return f"found by seed {seen.seeds}, {seen.cpu_s:.1f} s" if seen.failed else f"not found in {searched}"


def who(trial: Trial) -> str:
    """ "quorum/slow_link, early-ack, seed 3"."""
    return f"{trial.drill}, {trial.bug or 'correct system'}, seed {trial.seed}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
