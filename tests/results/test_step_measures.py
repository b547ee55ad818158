"""A training's goodput, longest stall and lost steps, and SLOs of them."""

from __future__ import annotations

import pytest

from harness.cli.main import run
from harness.model.drill import Drill
from harness.model.errors import UsageError
from harness.model.history import History
from harness.model.load import Load
from harness.model.slo import SLO
from results.analysis.judge import judge
from results.analysis.metrics import measure
from results.analysis.step_measures import StepMeasures, measure_steps
from tests.helpers.echo import Echo, Numbers
from tests.helpers.synthetic import window

MS = 1_000_000


def steps_of(node: str, *done: tuple[int, float]) -> list[dict[str, object]]:
    """Rows of a node: the step's number, and when it was done in ms."""
    return [{"node": node, "generation": 0, "step": step, "done_ns": int(at_ms * MS)} for step, at_ms in done]


def trained(*rows: list[dict[str, object]], fault_s: float | None = None) -> History:
    windows = [] if fault_s is None else [window(fault_s, fault_s + 0.1)]
    return History.of([], windows, steps=[row for each in rows for row in each])


def steady(first: int, count: int, from_ms: float, every_ms: float = 10) -> tuple[tuple[int, float], ...]:
    return tuple((first + number, from_ms + number * every_ms) for number in range(count))


def found(history: History) -> StepMeasures:
    return measure_steps(history)


def test_half_the_time_at_a_standstill_is_half_the_goodput() -> None:
    history = trained(steps_of("rank0", *steady(0, 51, 0), *steady(51, 50, 1000)), fault_s=0.45)
    measured = found(history)
    assert measured.steps == 101
    assert measured.stall_s == pytest.approx(0.5)
    assert measured.goodput == pytest.approx(100 * 10 / 1490)
    assert measured.lost_steps == 0


def test_a_training_that_never_came_back_stands_still_until_the_loads_end() -> None:
    calls: list[dict[str, object]] = [
        {
            "phase": phase,
            "client": 1,
            "kind": "step",
            "key": "next",
            "outcome": "unknown",
            "due_ns": int(at_ms * MS),
            "sent_ns": int(at_ms * MS),
            "done_ns": 9000 * MS,
        }
        for phase, at_ms in (("load", 100), ("load", 2000), ("final", 8000))
    ]
    steps = steps_of("rank0", *steady(0, 51, 0))
    measured = found(History.of(calls, [window(0.45, 0.55)], steps=steps))
    assert measured.goodput == pytest.approx(50 * 10 / 2000)
    assert measured.stall_s == pytest.approx(1.5)
    only_one = found(History.of(calls, [window(0.45, 0.55)], steps=steps_of("rank0", (0, 100))))
    assert only_one.stall_s == pytest.approx(1.9)
    alive = found(History.of(calls, [window(0.45, 0.55)], steps=steps_of("rank0", *steady(0, 202, 0))))
    assert alive.goodput == pytest.approx(1)
    assert alive.stall_s == pytest.approx(0.01)


def test_a_step_counts_once_however_often_ranks_did_it() -> None:
    both = trained(
        steps_of("rank0", *steady(0, 20, 0)), steps_of("rank1", *steady(0, 20, 3)), steps_of("control", *steady(0, 90, 0))
    )
    assert (found(both).steps, found(both).lost_steps) == (20, 0)
    back = trained(steps_of("rank0", *steady(0, 20, 0), *steady(15, 10, 500)), steps_of("rank1", *steady(0, 20, 0)))
    assert (found(back).steps, found(back).lost_steps) == (25, 5)
    assert found(back).stall_s == pytest.approx(0.36), "steps that are done again are no new ones"


def test_too_few_steps_before_the_fault_give_no_goodput() -> None:
    few = trained(steps_of("rank0", *steady(0, 40, 0)), fault_s=0.1)
    assert found(few).goodput is None
    slo = judge(SLO.parse("goodput >= 90%"), measure(few, [SLO.parse("goodput >= 90%")]))
    assert (slo.ok, slo.why) == (None, "too few clean steps (4) before the first fault")


@pytest.mark.parametrize(
    ("text", "value", "ok", "why"),
    [
        ("goodput >= 60%", 100 * 10 / 1490, True, "observed 67.1 %"),
        ("goodput >= 70%", 100 * 10 / 1490, False, "observed 67.1 %"),
        ("stall < 1s", 0.5, True, "observed 0.5 s"),
        ("stall <= 400ms", 0.5, False, "observed 0.5 s"),
        ("lost_steps < 1", 0.0, True, "observed 0"),
        ("step p50 < 20ms", 10.0, True, "observed 10 ms"),
        ("step max < 20ms", 500.0, False, "observed 500 ms"),
    ],
)
def test_slos(text: str, value: float, ok: bool, why: str) -> None:
    slo, history = SLO.parse(text), trained(steps_of("rank0", *steady(0, 51, 0), *steady(51, 50, 1000)), fault_s=0.45)
    judged = judge(slo, measure(history, [slo]))
    assert (judged.ok, judged.why) == (ok, why)
    assert judged.value == pytest.approx(value)


def test_a_single_step_that_nothing_followed_is_no_stall() -> None:
    slo = SLO.parse("stall < 1s")
    assert judge(slo, measure(trained(steps_of("rank0", (0, 100))), [slo])).ok is None


@pytest.mark.parametrize("text", ["goodput >= 90%", "stall < 1s", "lost_steps < 1", "step p99 < 1s"])
def test_of_a_run_without_steps_nothing_is_known(text: str) -> None:
    slo = SLO.parse(text)
    assert judge(slo, measure(trained(), [slo])).ok is None


def test_a_system_that_does_not_train_has_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match=r"The SLO 'stall < 1s' is about training steps; Echo does not train\."):
        Drill(system=Echo(), workload=Numbers(), load=Load(rate=1, seconds=1), slos=["stall < 1s"])
    assert run(["load", "http://127.0.0.1:1/", "--slo", "goodput >= 90%"]) == 2
    assert "a load has no training steps" in capsys.readouterr().err


def test_bytes_between_nodes_that_train_are_counted_by_step() -> None:
    sent = {"client>rank0": 7, "rank0>coordinator": 70, "rank0>rank1": 60_000, "rank1>rank2": 40_000}
    links: list[dict[str, object]] = [
        {"link": link, "connections": 1, "received_bytes": 10**6, "sent_bytes": count} for link, count in sent.items()
    ]
    steps = [row for node in ("rank0", "rank1", "rank2") for row in steps_of(node, *steady(0, 50, 0))]
    history = History.of([], links=links, steps=steps)
    assert found(history).bytes_per_step == 2000
    for text, ok in (("bytes_per_step < 2kB", False), ("bytes_per_step <= 2kB", True), ("bytes_per_step <= 1999B", False)):
        slo = SLO.parse(text)
        assert judge(slo, measure(history, [slo])).ok is ok
    assert (
        judge(SLO.parse("bytes_per_step < 1MB"), measure(history, [SLO.parse("bytes_per_step < 1MB")])).why
        == "observed 2,000 B"
    )
    alone = trained(steps_of("rank0", *steady(0, 50, 0)))
    unknown = judge(SLO.parse("bytes_per_step < 1MB"), measure(alone, [SLO.parse("bytes_per_step < 1MB")]))
    assert (unknown.ok, unknown.why) == (None, "no bytes were counted on links between the nodes that train")
