"""From a history to a result: a missed SLO is unknown if other processes slow the machine down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from harness.checkers.answers_expected import answers_expected
from harness.model.drill import Drill
from harness.model.history import USAGE, frame
from harness.model.load import Load
from harness.model.verdict import Checker
from harness.run.judging import beside, check_slos, conclude
from harness.run.spec import RunSpec
from results.record.result import LoadLimits
from tests.helpers.echo import Echo, Numbers
from tests.helpers.synthetic import crash

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


def test_a_drill_without_checks_whose_workload_expects_nothing_is_not_judged_by_answers() -> None:
    drill = Drill(system=Echo(), workload=Numbers(), load=Load(rate=500, clients=10, seconds=10))
    history = crash()
    unasked = replace(history, ops=history.ops.assign(expected=None))
    assert answers_expected in beside(drill, history)
    assert answers_expected not in beside(drill, unasked)
