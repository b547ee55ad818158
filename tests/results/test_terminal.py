"""The terminal's output, without colour and at 80 columns; commands to copy are never wrapped."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.model.history import History
from harness.model.reasons import reasons
from results.record.result import CheckResult, Result
from results.record.store import save
from results.report.phrasing import sentence
from results.report.terminal import print_checks, print_result, print_suite
from tests.helpers.synthetic import concluded, crash, spoil, steady, window

WRONG = CheckResult(name="linearizable", valid=False, why="k3 went back from v2 to v1", ops=tuple(range(2000, 2010)))
UNDECIDED = CheckResult(name="faults_acted", valid=None, why="w0 was not seen to act")


def console(width: int = 80) -> Console:
    return Console(file=io.StringIO(), width=width, no_color=True)


def text_of(shown: Console) -> str:
    assert isinstance(shown.file, io.StringIO)
    return shown.file.getvalue()


def shown(result: Result, history: History, run_dir: Path, width: int = 80) -> str:
    save(run_dir, result, history)
    to = console(width)
    print_result(result, to, run_dir, run_dir / "report.html")
    return text_of(to)


def test_a_pass_says_who_through_what_and_how_well(tmp_path: Path) -> None:
    history = History.of(spoil(steady(), 4, 4.1), [window(4, 6)])
    text = " ".join(shown(concluded(history), history, tmp_path).split())
    assert "✔ Pass. quorum/killed kept every promise through 1 fault: 5,000 calls, p99" in text
    assert "availability 99 %, recovered in 0.1 s." in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_rerun_line_and_the_path_stay_on_one_line(tmp_path: Path, width: int) -> None:
    history = crash()
    run_dir = tmp_path / ("long" * 30)
    rerun = f"harness drill quorum/killed --seed 7 --set {'x' * 200}=1"
    lines = shown(concluded(history, rerun=rerun), history, run_dir, width).splitlines()
    assert f"Again   {rerun}" in lines
    assert f"Report  {run_dir / 'report.html'}" in lines


def test_other_lines_keep_to_the_width(tmp_path: Path) -> None:
    history = crash()
    result = concluded(history, checks=(WRONG, UNDECIDED), drill="quorum/" + "long" * 20)
    for line in shown(result, history, tmp_path).splitlines():
        assert len(line) <= 80 or line.startswith(("Report", "Again"))


def test_faults_are_shown_with_what_was_hit_and_the_evidence(tmp_path: Path) -> None:
    history = History.of(steady(), [window(4, 6), window(7, 8, label="w1", acted=False)])
    text = shown(concluded(history), history, tmp_path, 200)
    assert "✔  4–6 s  Kill n2 (one)  n2 (pid 4242) ended by SIGKILL at 4 s" in text
    assert "✘  7–8 s  Kill n2 (one)  no sign of it" in text


def test_checks_and_slos_are_shown_with_what_was_observed(tmp_path: Path) -> None:
    history = crash()
    lines = [
        " ".join(line.split()) for line in shown(concluded(history, checks=(WRONG, UNDECIDED)), history, tmp_path).splitlines()
    ]
    assert "✘ linearizable k3 went back from v2 to v1" in lines
    assert "? faults_acted w0 was not seen to act" in lines
    assert "✘ p99 < 50ms observed 1,000 ms" in lines
    assert "✔ recovery < 2s observed 0.6 s" in lines


def test_failing_operations_are_listed_up_to_a_few(tmp_path: Path) -> None:
    history = crash()
    text = shown(concluded(history, checks=(WRONG,)), history, tmp_path)
    assert "the first 5 of 10" in text
    assert " 2004  4.008 s  1,000 ms" in text
    assert " 2005  " not in text


def test_operations_that_are_not_in_the_history_do_no_harm(tmp_path: Path) -> None:
    history = crash()
    wrong = CheckResult(name="linearizable", valid=False, why="…", ops=(10**9,))
    assert "linearizable" in shown(concluded(history, checks=(wrong,)), history, tmp_path)


def test_markup_and_control_characters_in_what_comes_from_outside_are_inert(tmp_path: Path) -> None:
    history = crash()
    wrong = CheckResult(name="linearizable", valid=False, why="[red]not markup[/red] \x1b[2J\a")
    text = shown(concluded(history, checks=(wrong,)), history, tmp_path)
    assert "[red]not markup[/red] \\x1b[2J\\x07" in text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"verdict": "unknown", "checks": (UNDECIDED,)}, "? Unknown. quorum/killed cannot be judged: faults_acted: w0 was not"),
        (
            {"verdict": "fail", "checks": (WRONG,)},
            "✘ Fail. quorum/killed broke a promise through 1 fault: linearizable: k3 went",
        ),
        (
            {"verdict": "slo"},
            "✘ SLO missed. quorum/killed did nothing wrong through 1 fault, but was not good enough: p99 < 50ms",
        ),
        (
            {"verdict": "fail", "checks": (WRONG,), "expected": "fail", "caught_by": "linearizable"},
            "✔ Caught. quorum/killed is known to be wrong, and linearizable caught it through 1 fault: k3 went",
        ),
        (
            {"verdict": "pass", "expected": "fail", "caught_by": "linearizable"},
            "✘ Not caught. quorum/killed is known to be wrong, and linearizable did not catch it through 1 fault.",
        ),
    ],
)
def test_the_verdicts_sentence(tmp_path: Path, fields: dict[str, Any], said: str) -> None:
    history = crash()
    assert said in " ".join(shown(concluded(history, **fields), history, tmp_path).split())


def test_checks_of_a_foreign_history() -> None:
    to = console()
    print_checks((WRONG,), crash(), to)
    assert "✘  linearizable" in text_of(to)
    assert " 2004  4.008 s" in text_of(to)


def test_a_suite_is_a_table_and_then_the_surprises(tmp_path: Path) -> None:
    history = History.of(steady())
    good = concluded(history, slos=("p50 < 1s",), drill="serving/healthy")
    bad = concluded(crash(), checks=(WRONG,))
    to = console()
    print_suite([good, bad], to, tmp_path / "report.html")
    text = text_of(to)
    assert all(len(line) <= 80 or line.startswith("Report") for line in text.splitlines())
    assert "✔  serving/healthy  pass" in text
    assert "✘  quorum/killed    fail" in text
    assert "1 of 2 drills ended as expected." in text
    assert "harness drill quorum/killed --seed 7" in text
    assert "harness drill serving/healthy" not in text


@pytest.mark.parametrize("name", ["passed", "failed"])
def test_a_result_reads_as_before(tmp_path: Path, matches_transcript: Callable[[str, str], None], name: str) -> None:
    if name == "passed":
        history = History.of(spoil(steady(), 4, 4.1), [window(4, 6)])
        result = concluded(history)
    else:
        history = crash()
        result = concluded(history, checks=(WRONG, UNDECIDED), slos=("p50 < 1ms", "recovery < 0.05s"))
    matches_transcript(f"terminal-{name}", shown(result, history, tmp_path).replace(str(tmp_path), "RUN"))


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_a_suites_figures_keep_their_units_at_every_width(tmp_path: Path, width: int) -> None:
    results = [
        concluded(crash(), checks=(WRONG,), drill="machines/blackholed_for_long"),
        concluded(History.of(steady()), slos=("p50 < 1s",)),
    ]
    to = console(width)
    print_suite(results, to, tmp_path / "report.html", asked=5)
    lines = text_of(to).splitlines()
    [head, *rows] = lines[1 : lines.index("", 1)]
    assert all(len(line) <= width for line in [head, *rows])
    assert "…" not in "".join(rows)
    assert "1,000 ms" in rows[0]
    units = {"calls": "5,000", "p99": "ms", "available": "%", "recovery": "s"}
    assert set(head.split()) - {"drill", "verdict"} <= units.keys()
    assert all(unit in rows[0] for name, unit in units.items() if name in head)
    assert "0 of 2" not in text_of(to)
    assert "3 of 5 have no result." in " ".join(text_of(to).split())


def test_lines_in_a_file_have_no_blanks_at_their_ends(tmp_path: Path) -> None:
    history = crash()
    text = shown(concluded(history, checks=(WRONG,)), history, tmp_path, 400)
    assert not [line for line in text.splitlines() if line.endswith(" ")]


def test_calls_that_were_not_done_are_grouped_by_their_reason(tmp_path: Path) -> None:
    history = crash()
    lines = shown(concluded(history, errors=reasons(history.load)), history, tmp_path).splitlines()
    at = lines.index("Calls that were not done")
    assert lines[at + 1 : at + 3] == ["150  unknown  no answer within 1,000 ms", "150  failed   connection refused"]


@pytest.mark.parametrize(
    ("kinds", "told"), [(5, None), (6, "1 more reason is in the report."), (7, "2 more reasons are in the")]
)
def test_reasons_beyond_a_few_are_counted(tmp_path: Path, kinds: int, told: str | None) -> None:
    history = crash()
    text = shown(concluded(history, errors=reasons(history.load)[:1] * kinds), history, tmp_path)
    assert told in text if told else "more reason" not in text


def test_several_broken_promises_are_a_sentence_each() -> None:
    other = CheckResult(name="converges", valid=False, why="n1 and n2 differ.")
    told = sentence(concluded(crash(), verdict="fail", checks=(WRONG, other)))
    assert told.endswith("linearizable: k3 went back from v2 to v1. converges: n1 and n2 differ.")
