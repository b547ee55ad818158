"""From a history to a result: a missed SLO is unknown if other processes slow the machine down."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pytest

from harness.checkers.answers_expected import answers_expected
from harness.checkers.corruption_contained import corruption_contained
from harness.checkers.nodes_stayed_up import nodes_stayed_up
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.version_kept import version_kept
from harness.model.drill import Drill
from harness.model.history import USAGE, History, frame
from harness.model.load import Load
from harness.model.verdict import Checker, Dependency, Verdict
from harness.run import catalog
from harness.run.judging import beside, check, check_slos, conclude
from harness.run.spec import RunSpec
from results.record.result import LoadLimits, decode, encode
from tests.helpers.echo import Echo, Numbers
from tests.helpers.synthetic import crash
from tests.helpers.transcript import history as transcript

S = 1_000_000_000


def usage(others_s: float) -> list[dict[str, object]]:
    """Ten seconds, in which n1 ran for one and waited for six, and others ran for this long."""
    looks = []
    for at_s, ran_s, waited_s, machine_s in ((0, 0.0, 0.0, 0.0), (10, 1.0, 6.0, 1.0 + others_s)):
        row = {"at_ns": at_s * S, "moment": "load"}
        looks.append(row | {"node": "n1", "pid": 7, "ran_ns": round(ran_s * S), "waited_ns": round(waited_s * S)})
        looks.append(row | {"node": "", "pid": 0, "ran_ns": round(machine_s * S), "waited_ns": 0})
    return looks


@pytest.mark.parametrize(("others_s", "verdict", "ok"), [(12.0, "unknown", None), (0.5, "slo", False)])
def test_a_missed_slo_is_unknown_only_if_others_held_up_the_machine(others_s: float, verdict: str, ok: bool | None) -> None:
    drill = Drill(
        system=Echo(), workload=Numbers(), load=Load(rate=500, clients=10, seconds=10), slos=["availability >= 99.99%"]
    )
    history = crash()
    history = replace(history, windows=history.windows.iloc[:0], usage=frame(USAGE, usage(others_s)))
    result = conclude(RunSpec(name="t", title="t", drill=drill, seed=1), history, datetime.now(UTC), 10.0)
    (slo,) = result.slos
    assert slo.ok is ok
    assert ("but the machine was busy: others used its CPUs for 12.0 s, and n1 waited" in slo.why) is (ok is None)


def test_an_slo_missed_without_a_single_call_is_told() -> None:
    history = crash()
    history = replace(history, ops=history.ops.iloc[:0])
    _, (slo,) = check_slos(history, ["requests >= 1"], LoadLimits(seconds=1.0, timeout_ms=1000.0))
    assert (slo.ok, slo.value) == (False, 0.0)


@pytest.mark.parametrize("expected", [None, "[]", '["other"]', '["other", "two"]', '{"label": 7, "score": 0.5}'])
@pytest.mark.parametrize("checks", [(), []])
def test_a_drill_without_checks_is_judged_by_the_answers_that_its_workload_expects(
    checks: Sequence[Checker], expected: str | None
) -> None:
    """Whatever their form; None: as they were, but for one answer."""
    drill = Drill(system=Echo(), workload=Numbers(), load=Load(rate=500, clients=10, seconds=10), checks=checks)
    history = crash()
    seventh = history.ops.index == 7
    wrong = {"value": history.ops["value"].mask(seventh, "wrong")}
    ops = history.ops.assign(**wrong if expected is None else {"expected": expected})
    result = conclude(RunSpec(name="t", title="t", drill=drill, seed=1), replace(history, ops=ops), datetime.now(UTC), 10.0)
    assert result.verdict == "fail"
    assert [found.name for found in result.checks if found.valid is False] == ["answers_expected"]


def _content(history: History) -> Verdict:
    """A user's own check that does not look at answers."""
    return Verdict(valid=True, why="fine")


def _drill(*checks: Checker) -> Drill:
    return Drill(system=Echo(), workload=Numbers(), load=Load(rate=500, clients=10, seconds=10), checks=checks)


def _invalid(checks: Sequence[Checker], history: History) -> list[str]:
    found = check(history, (*checks, *beside(_drill(*checks), history)))
    return [one.name for one in found if one.valid is False]


@pytest.mark.parametrize("checks", [(nodes_stayed_up,), (_content,), (lambda _: Verdict(valid=True, why=""),), (version_kept,)])
def test_checks_that_do_not_look_at_answers_do_not_keep_wrong_ones_from_being_found(checks: Sequence[Checker]) -> None:
    right = crash()
    wrong = replace(right, ops=right.ops.assign(value=right.ops["value"].mask(right.ops.index == 7, "wrong")))
    assert _invalid(checks, right) == []
    assert _invalid(checks, wrong) == ["answers_expected"]
    assert _invalid((*checks, answers_expected), wrong) == ["answers_expected"]


RIGHT, WRONG = '{"label": 7, "score": 0.5}', '{"label": 8, "score": 0.5}'


def _predictions(kind: str = "predict") -> History:
    """A wrong prediction while bits are flipped, then right ones; and a wrong answer to another kind of call."""
    rows = [("n1", WRONG, 0.1, kind)] + [("n1", RIGHT, 0.2 + at / 100, "predict") for at in range(200)]
    ops = [
        {"client": 1, "kind": kind, "key": "x", "value": value, "expected": RIGHT, "outcome": "ok", "node": node}
        | {"sent_ns": round(at_s * S), "done_ns": round(at_s * S) + 1}
        for node, value, at_s, kind in rows
    ]
    flips = {
        "label": "w0",
        "fault": "FlipBits",
        "selector": "n1",
        "targets": "n1",
        "from_s": 0.0,
        "to_s": 1.0,
        "injected_ns": 0,
    }
    return History.of(ops, windows=[flips | {"healed_ns": S, "acted": True, "evidence": "flipped"}])


def test_a_prediction_that_a_check_of_the_drill_excuses_is_not_wrong_after_all() -> None:
    """Bits were flipped: `corruption_contained` allows the first wrong answer. It says nothing of other kinds of calls."""
    assert _invalid((corruption_contained,), _predictions()) == []
    assert _invalid((nodes_stayed_up,), _predictions()) == ["answers_expected"]
    assert _invalid((corruption_contained,), _predictions("classify")) == ["answers_expected"]


def test_a_check_in_a_drills_file_may_compare_answers_itself(tmp_path: Path) -> None:
    history = _predictions()
    file = tmp_path / "close.py"
    compares = "return ops['kind'] == 'predict'"
    file.write_text(OWN.format(compares=compares))
    assert _invalid(catalog.load_drill(file).drill.checks, history) == []
    assert _invalid(catalog.load_drill(file).drill.checks, _predictions("classify")) == ["answers_expected"]
    file.write_text(OWN.format(compares="return ops['label'] == 'predict'"))
    drill = catalog.load_drill(file).drill
    [told] = [one for one in check(history, beside(drill, history)) if one.name == "answers_expected"]
    assert (told.valid, told.why) == (None, "the check itself failed: KeyError: 'label' (close.py, line 12)")


OWN = '''
"""A drill whose check compares answers."""
from harness.model.drill import Drill
from harness.model.load import Load
from harness.model.verdict import Verdict
from tests.helpers.echo import Echo, Numbers

def close_enough(history):
    return Verdict(valid=True, why="close")

def compares(ops):
    {compares}

drill = Drill(system=Echo(), workload=Numbers(), load=Load(rate=10, seconds=1), checks=[close_enough])
'''


def test_a_drill_without_checks_whose_workload_expects_nothing_is_not_judged_by_answers() -> None:
    drill = Drill(system=Echo(), workload=Numbers(), load=Load(rate=500, clients=10, seconds=10))
    history = crash()
    unasked = replace(history, ops=history.ops.assign(expected=None))
    assert "answers_expected" in {one.__name__ for one in beside(drill, history)}
    assert "answers_expected" not in {one.__name__ for one in beside(drill, unasked)}


@pytest.mark.parametrize(
    ("returned", "why"),
    [
        (True, "it returned True, not a Verdict"),
        (None, "it returned None, not a Verdict"),
        (Verdict(valid=cast(bool, pd.NA), why="x"), "its verdict has valid=<NA>, which must be True, False or None"),
        (Verdict(valid=cast(bool, "no"), why="x"), "its verdict has valid='no', which must be True, False or None"),
        (Verdict(valid=True, why=cast(str, 7)), "its verdict has why=7, which must be a text"),
        (Verdict(valid=False, why="x", ops=(0, 10**6)), "its verdict has 1000000 among its ops, which must be rows"),
        (Verdict(valid=False, why="x", ops=(-1,)), "its verdict has -1 among its ops, which must be rows"),
        (Verdict(valid=False, why="x", ops=cast(tuple[int], ("a",))), "its verdict has 'a' among its ops, which must be rows"),
        (Verdict(valid=False, why="x", ops=cast(tuple[int], None)), "its verdict has ops=None, which must be rows"),
        (Verdict(valid=False, why="x", explained_until_ns=cast(int, 0.5)), "its verdict has explained_until_ns=0.5, which"),
        (Verdict(valid=False, why="x", cycle=cast(tuple[Dependency], (1,))), "its verdict has cycle=(1,), which must be"),
    ],
)
def test_a_check_that_returns_no_verdict_makes_the_run_unknown(returned: object, why: str) -> None:
    [found] = check(crash(), [lambda _: cast(Verdict, returned)])
    assert found.valid is None
    assert found.why.startswith(f"the check itself failed: {why}")


def test_what_a_check_changes_in_the_history_no_other_check_sees() -> None:
    def converts(history: History) -> Verdict:
        history.ops["value"] = history.ops["value"].str.len()
        history.ops.loc[:, "outcome"] = "ok"
        history.events["kind"] = "quiet"
        return Verdict(valid=True, why="")

    def looks(history: History) -> Verdict:
        return Verdict(valid=history.ops.equals(crash().ops) and history.events.equals(crash().events), why="")

    history = crash()
    assert [found.valid for found in check(history, [converts, looks])] == [True, True]
    assert history.ops.equals(crash().ops)


def test_a_check_that_ends_the_process_makes_the_run_unknown() -> None:
    def content(history: History) -> Verdict:
        sys.exit()

    [found] = check(crash(), [content])
    assert found.valid is None
    assert found.why.startswith("the check itself failed: SystemExit:  (test_judging.py, line ")


def test_a_verdict_may_hold_numbers_of_numpy() -> None:
    history = crash()

    def alike(history: History) -> Verdict:
        rows = np.flatnonzero(history.ops["kind"] == "read")
        valid = cast(bool, (history.ops["kind"] == "none").all())
        cycle = (Dependency(source=rows[0], target=rows[1], kind="ww", why="x"),)
        until_ns = history.ops["done_ns"].max()
        return Verdict(valid=valid, why="none alike", ops=tuple(rows[:2]), explained_until_ns=until_ns, cycle=cycle)

    drill = _drill(alike)
    result = conclude(RunSpec(name="t", title="t", drill=drill, seed=1), history, datetime.now(UTC), 10.0)
    assert decode(encode(result), "here") == result
    assert (result.verdict, result.checks[0].valid, result.checks[0].ops) == ("fail", False, (0, 5))


def test_a_check_that_finds_no_call_of_its_kinds_says_which_there_are() -> None:
    misnamed = transcript("c1 put x 1 0..1 ok\nc1 get x 1 2..3 ok")
    [found] = check(misnamed, [nothing_lost])
    assert found.valid is None
    assert found.why.endswith("; it judges calls of kind read, write, and here are only get, put")
    [found] = check(transcript("c1 put x 1 0..1 ok\nc1 read x 1 2..3 ok"), [nothing_lost])
    assert found.valid is None
    assert "it judges" not in found.why
