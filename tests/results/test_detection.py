"""A detection matrix: its counts, its exit code, its file of trials, its page and its text on the terminal."""

from __future__ import annotations

import html
import io
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from harness.model.errors import HarnessError, UsageError
from results.record.detection import Conditions, Detection, MatrixRow, Outcome, Simulated, Trial, TrialLog
from results.record.result import Machine
from results.report.detection_page import write_detection_page
from results.report.detection_phrasing import verdict
from results.report.detection_terminal import print_detection, print_trial

MACHINE = Machine(cpu="an abacus", cores=2, memory_gib=4.0, kernel="6.1", python="3.11")
CONDITIONS = Conditions(code="c0de", fault_plane="embedded", machine=MACHINE, versions={"numpy": "2.0"})
DRILL = "quorum/slow_link"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def trial(outcome: Outcome, seed: int = 1, bug: str | None = "early-ack", why: str = "it said so") -> Trial:
    alarm = outcome in ("caught", "false alarm")
    return Trial(
        drill=DRILL, bug=bug, seed=seed, outcome=outcome, found=("linearizable",) if alarm else (), why=why,
        waited_share=0.05, duration_s=7.5, rerun=f"harness drill {DRILL} --seed {seed}",
        run_dir=None if outcome in ("caught", "clean") else "runs/x",
    )  # fmt: skip


def row(*outcomes: Outcome, bug: str | None = "early-ack", lacks: str | None = None, why: str = "it said so") -> MatrixRow:
    trials = [trial(outcome, seed, bug, why) for seed, outcome in enumerate(outcomes, start=1)]
    what, caught_by = ("a write is acknowledged early", "linearizable") if bug else ("", None)
    return MatrixRow.of(trials, system="Quorum", drill=DRILL, bug=bug, what=what, caught_by=caught_by, lacks=lacks)


def matrix(*rows: MatrixRow, runs_left: int = 0, commit: str = "abc123") -> Detection:
    return Detection(
        seeds=(1, 2, 3), rows=rows, runs_left=runs_left, commit=commit, finished_utc="2026-01-01T00:00:00+00:00",
        conditions=CONDITIONS, again="harness detect quorum --seeds 3",
    )  # fmt: skip


CLEAN = row("clean", "clean", "clean", bug=None)


@pytest.mark.parametrize(
    ("rows", "runs_left", "code"),
    [
        ([CLEAN, row("caught", "caught")], 0, 0),
        ([CLEAN, row("caught", "missed")], 0, 1),
        ([row("clean", "false alarm", bug=None), row("caught")], 0, 1),
        ([CLEAN, row("caught", "unknown")], 0, 4),
        ([row("unknown", bug=None), row("caught")], 0, 4),
        ([CLEAN, row("missed", "unknown")], 0, 1),
        ([CLEAN, row("caught"), row(lacks="it needs Redis")], 0, 4),
        ([CLEAN, row("caught")], 1, 4),
        ([CLEAN, row("missed")], 1, 1),
    ],
)
def test_the_exit_code_is_that_of_the_worst_row(rows: list[MatrixRow], runs_left: int, code: int) -> None:
    assert matrix(*rows, runs_left=runs_left).exit_code == code


@pytest.mark.parametrize(
    ("failed", "unknown", "bug", "expected"),
    [
        (1, 0, "early-ack", True),
        (0, 0, "early-ack", False),
        (0, 2, "early-ack", False),
        (0, 3, "early-ack", None),
        (0, 0, None, True),
        (0, 2, None, True),
        (0, 3, None, None),
        (1, 2, None, False),
    ],
)
def test_if_nothing_was_run_simulation_decides_unless_it_could_judge_no_seed(
    failed: int, unknown: int, bug: str | None, expected: bool | None
) -> None:
    found = Simulated(seeds=3, cpu_s=1.0, failed=failed, unknown=unknown)
    assert msgspec.structs.replace(row(bug=bug), simulated=found).as_expected is expected


def test_a_false_alarm_in_simulation_counts_although_no_run_raised_one() -> None:
    alarmed = msgspec.structs.replace(CLEAN, simulated=Simulated(seeds=9, cpu_s=1.0, failed=2))
    found = matrix(alarmed, row("caught"))
    assert found.exit_code == 1
    assert "0 false alarms in 3 runs of the correct systems. Simulation raised a false alarm: quorum/slow_link." in verdict(
        found
    )
    not_found = msgspec.structs.replace(row("caught"), simulated=Simulated(seeds=9, cpu_s=1.0, failed=0))
    assert matrix(CLEAN, not_found).exit_code == 0


def test_runs_that_could_not_be_judged_do_not_count_in_the_share() -> None:
    counted = row("caught", "unknown", "missed")
    assert (counted.alarms, counted.decided, counted.unknown) == (1, 2, 1)
    assert 0 < counted.low < 0.5 < counted.high < 1
    assert (row("unknown").low, row("unknown").high) == (0, 1)


def test_a_matrix_travels_as_json() -> None:
    made = matrix(CLEAN, row("caught", "unknown"))
    assert msgspec.json.decode(msgspec.json.encode(made), type=Detection) == made


def test_trials_are_found_again_under_the_same_conditions_alone(tmp_path: Path) -> None:
    TrialLog(tmp_path, CONDITIONS).append(trial("caught"))
    assert TrialLog(tmp_path, CONDITIONS).find(DRILL, "early-ack", 1) == trial("caught")
    for other in ({"code": "0ther"}, {"fault_plane": "toxiproxy"}, {"versions": {"numpy": "2.1"}}):
        elsewhere = TrialLog(tmp_path, msgspec.structs.replace(CONDITIONS, **other))
        assert elsewhere.find(DRILL, "early-ack", 1) is None
        assert elsewhere.others() >= 1


def test_the_last_trial_of_a_cell_counts(tmp_path: Path) -> None:
    log = TrialLog(tmp_path, CONDITIONS)
    log.append(trial("unknown"))
    log.append(trial("caught"))
    for read in (log, TrialLog(tmp_path, CONDITIONS)):
        found = read.find(DRILL, "early-ack", 1)
        assert found is not None
        assert found.outcome == "caught"


def test_a_line_that_was_cut_off_is_forgotten_and_the_next_one_is_whole(tmp_path: Path) -> None:
    log = TrialLog(tmp_path, CONDITIONS)
    log.append(trial("caught", seed=1))
    file = log.folder / "trials.jsonl"
    file.write_bytes(file.read_bytes() + msgspec.json.encode(trial("caught", seed=2))[:40])
    again = TrialLog(tmp_path, CONDITIONS)
    assert again.find(DRILL, "early-ack", 2) is None
    again.append(trial("missed", seed=3))
    last = TrialLog(tmp_path, CONDITIONS)
    assert [last.find(DRILL, "early-ack", seed) is not None for seed in (1, 2, 3)] == [True, False, True]


@pytest.mark.parametrize("damaged", [b"{}", b'{"drill": "\xff"}'])
def test_a_damaged_file_is_named_with_its_line(tmp_path: Path, damaged: bytes) -> None:
    log = TrialLog(tmp_path, CONDITIONS)
    log.append(trial("caught"))
    file = log.folder / "trials.jsonl"
    file.write_bytes(file.read_bytes() + damaged + b"\n")
    with pytest.raises(HarnessError, match=r"trials.jsonl, line 2 is not a trial"):
        TrialLog(tmp_path, CONDITIONS)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"Cannot write the matrix to .* Choose another place"):
        TrialLog(tmp_path / "file", CONDITIONS)


def test_the_verdict_says_what_was_missed_and_what_is_not_known() -> None:
    said = verdict(matrix(row("clean", "false alarm", bug=None), row("caught", "missed", "unknown"), runs_left=2))
    assert "0 of 1 known bug caught in every run that counts (2)." in said
    assert "early-ack (1 of 2 caught)" in said
    assert "1 false alarm in 2 runs of the correct systems." in said
    assert "1 run could not be judged" in said
    assert "Interrupted: 2 runs left." in said
    assert "0 false alarms in 3 runs" in verdict(matrix(CLEAN, row("caught")))
    assert "0 of 0 known bugs caught in every run that counts (0). 1 known bug without a run that counts." in verdict(
        matrix(CLEAN, row("unknown"))
    )


def test_the_verdict_says_what_simulation_alone_found_wrong() -> None:
    missed = msgspec.structs.replace(row(), simulated=Simulated(seeds=9, cpu_s=1.0, failed=0))
    alarmed = msgspec.structs.replace(row(bug=None), simulated=Simulated(seeds=9, cpu_s=1.0, failed=2))
    found = matrix(alarmed, missed)
    assert found.exit_code == 1
    assert "Not found by simulation: early-ack. Simulation raised a false alarm: quorum/slow_link." in verdict(found)
    assert "imulation" not in verdict(matrix(CLEAN, row("missed")))
    found_it = msgspec.structs.replace(row(bug="read-one"), simulated=Simulated(seeds=1, cpu_s=1.0, failed=1))
    alone = msgspec.structs.replace(matrix(missed, found_it), seeds=())
    assert verdict(alone) == "No drill was run. Simulation found 1 of 2 known bugs. Not found by simulation: early-ack."


def test_the_terminal_shows_the_table_and_how_to_repeat_what_is_wrong() -> None:
    out = io.StringIO()
    console = Console(file=out, width=150)
    print_trial(trial("missed"), console, place="3/12", left="about 10 min left")
    print_detection(matrix(CLEAN, row("caught", "missed", "unknown", why="\x1b[2J moved")), console, Path("page.html"))
    text = out.getvalue()
    assert " 3/12 ✘ quorum/slow_link, early-ack, seed 1: missed  about 10 min left" in text
    assert "harness drill quorum/slow_link --seed 2" in text
    assert "1 of 2" in text
    assert "9–91 %" in text
    assert "page.html" in text
    assert "\x1b" not in text


HOSTILE = "</script><script>document.title='owned'</script>'\"&lt;{{ 7*7 }}"


def page_of(tmp_path: Path) -> Path:
    page = tmp_path / "page.html"
    rows = [row("clean", "clean", "false alarm", bug=None), row("caught", "missed", "unknown", why=HOSTILE + "long" * 100)]
    write_detection_page(matrix(*rows, row(bug="last-wins", lacks="it needs Redis"), commit=HOSTILE), page)
    return page


def test_the_page_needs_nothing_else_and_runs_nothing(tmp_path: Path) -> None:
    text = page_of(tmp_path).read_text()
    assert html.escape(HOSTILE, quote=False)[:30] in text
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "")
    for part in ("early-ack", "1 of 2", "9–91 %", "seed 3: false alarm by linearizable", "runs/x", "an abacus", "not run"):
        assert part in text


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium")
@pytest.mark.parametrize("width", [500, 1280])
def test_a_browser_shows_the_page_without_scrolling_sideways(tmp_path: Path, width: int) -> None:
    assert CHROMIUM
    page = page_of(tmp_path)
    probe = "<script>document.body.dataset.wide = Math.max(document.documentElement.scrollWidth - innerWidth, 0)</script>"
    page.write_text(page.read_text() + probe)
    options = [
        "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync",
        "--disable-component-update", f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},900", "--dump-dom",
        page.as_uri(),
    ]  # fmt: skip
    shown = subprocess.run([CHROMIUM, *options], capture_output=True, text=True, check=True, timeout=60)
    assert 'data-wide="0"' in shown.stdout
    assert "<title>Which known bugs of Quorum are caught" in shown.stdout
