"""A detection matrix in words: the same in the terminal and on the page."""

from __future__ import annotations

from collections.abc import Sequence

from results.record.detection import Detection, MatrixRow, Trial
from results.report.phrasing import Mark, mark_of


def trial_mark(trial: Trial) -> Mark:
    """How one run is marked: good if the bug was caught, or the correct system left in peace."""
    return mark_of(None if trial.outcome == "unknown" else trial.outcome in ("caught", "clean"))


def row_mark(row: MatrixRow) -> Mark:
    """How a row is marked: good if every run ended as it should."""
    return mark_of(row.as_expected)


def share_of(row: MatrixRow) -> str:
    """ "3 of 3": the alarms of the runs that could be judged."""
    return f"{row.alarms} of {row.decided}" if row.decided else "–"


def interval(row: MatrixRow) -> str:
    """ "44–100 %": where the share lies."""
    return f"{row.low * 100:.0f}–{row.high * 100:.0f} %" if row.decided else "–"


def verdict(detection: Detection) -> str:
    """The whole matrix in a sentence or a few."""
    bugs = [row for row in detection.rows if row.bug is not None]
    correct = [row for row in detection.rows if row.bug is None]
    judged = [row for row in bugs if row.decided]
    caught = [row for row in judged if row.alarms == row.decided]
    runs = sum(row.decided for row in bugs)
    parts = [f"{len(caught)} of {_count(bugs, 'known bug')} {_were(caught)} caught in every run that could be judged ({runs})."]
    if missed := [row for row in judged if row.alarms < row.decided]:
        parts.append(f"Missed: {', '.join(f'{row.bug} ({share_of(row)} caught)' for row in missed)}.")
    alarms, clean = sum(row.alarms for row in correct), sum(row.decided for row in correct)
    set_off = f"{alarms or 'no'} false alarm{'s' * (alarms != 1)}"
    parts.append(f"The correct systems set off {set_off} in {clean} run{'s' * (clean != 1)} of {_count(correct, 'drill')}.")
    if unknown := sum(row.unknown for row in detection.rows):
        parts.append(f"{unknown} run{'s' * (unknown != 1)} could not be judged.")
    if lacking := {row.drill for row in detection.rows if row.lacks}:
        parts.append(f"Not run on this machine: {', '.join(sorted(lacking))}.")
    if detection.runs_left:
        parts.append(f"Interrupted: {detection.runs_left} runs are left.")
    return " ".join(parts)


def surprises(detection: Detection) -> list[Trial]:
    """The runs to look into: misses and false alarms first, then those that could not be judged."""
    trials = [trial for row in detection.rows for trial in row.trials if trial.outcome not in ("caught", "clean")]
    return sorted(trials, key=lambda trial: trial.outcome == "unknown")


def who(trial: Trial) -> str:
    """ "quorum/slow_link, early-ack, seed 3"."""
    return f"{trial.drill}, {trial.bug or 'correct system'}, seed {trial.seed}"


def _count(rows: Sequence[MatrixRow], noun: str) -> str:
    return f"{len(rows)} {noun}{'s' * (len(rows) != 1)}"


def _were(rows: Sequence[MatrixRow]) -> str:
    return "was" if len(rows) == 1 else "were"
