"""Latency on a target that another window stops or cuts off: when it holds, and what is recorded. In simulated time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from faults.latency import Latency
from faults.partition import Isolate
from faults.pause import Pause
from harness.model.fault import Fault, Window
from harness.model.fault_window import FaultWindow
from harness.run import catalog
from harness.run.schedule import plan
from harness.simulation.cluster import SimulatedLinks
from harness.simulation.record import SimulatedRun
from tests.helpers.effort import left_to_ci


def held(monkeypatch: pytest.MonkeyPatch, faults: Sequence[Window]) -> tuple[FaultWindow, list[float]]:
    """The record of the window of `Latency`, and when its toxics were added and removed, in seconds since the load began."""
    drill = replace(catalog.find_drill("quorum/healthy", ["load.seconds=6", "load.rate=20"]).drill, faults=faults)
    run, changed_ns = SimulatedRun(drill, plan(drill, 1), 1), list[int]()
    add, remove = SimulatedLinks.add_toxic, SimulatedLinks.remove_toxic

    async def noted_add(
        self: SimulatedLinks,
        link: str,
        name: str,
        *,
        kind: str,
        stream: str,
        attributes: Mapping[str, float | str],
        toxicity: float = 1.0,
    ) -> None:
        if kind == "latency":
            changed_ns.append(run.world.monotonic_ns)
        await add(self, link, name, kind=kind, stream=stream, attributes=attributes, toxicity=toxicity)

    async def noted_remove(self: SimulatedLinks, link: str, name: str) -> None:
        if name == "w1":
            changed_ns.append(run.world.monotonic_ns)
        await remove(self, link, name)

    monkeypatch.setattr(SimulatedLinks, "add_toxic", noted_add)
    monkeypatch.setattr(SimulatedLinks, "remove_toxic", noted_remove)
    recorded = run.carry_out()
    [window] = [one for one in recorded.history.fault_windows if one.kind == "Latency"]
    assert window.label == "w1"
    return window, sorted({round((at_ns - recorded.start_ns) / 1e9, 6) for at_ns in changed_ns})


OTHERS: list[Fault] = [Pause("n1"), Isolate("n1")]


@pytest.mark.parametrize("other", OTHERS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("delay_ms", [left_to_ci(50), 2000])
def test_the_recorded_times_are_those_at_which_links_are_slow(
    monkeypatch: pytest.MonkeyPatch, other: Fault, delay_ms: float
) -> None:
    window, changed_s = held(monkeypatch, [other.between(1, 4), Latency("n1", delay_ms=delay_ms).between(1.5, 3)])
    assert window.injected_s is not None
    assert window.healed_s is not None
    assert [window.injected_s, window.healed_s] == pytest.approx(changed_s, abs=1e-3)


def test_a_stopped_target_does_not_hold_up_the_beginning_and_nothing_holds_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    window, changed_s = held(monkeypatch, [Pause("n1").between(1, 4), Latency("n1", delay_ms=50).between(1.5, 2)])
    assert changed_s == pytest.approx([1.5, 2], abs=0.01)
    assert (window.acted, window.evidence[:16]) == (True, "round trip n1>n2")


def test_a_target_that_is_cut_off_holds_up_the_beginning_a_little_and_the_end_not(monkeypatch: pytest.MonkeyPatch) -> None:
    window, changed_s = held(monkeypatch, [Isolate("n1").between(1, 4), Latency("n1", delay_ms=50).between(1.5, 2)])
    assert changed_s == pytest.approx([1.75, 2], abs=0.01)
    assert (window.acted, window.evidence) == (False, "no target answered, so no delay could be measured")


def test_a_target_of_which_nothing_answers_is_slow_if_data_was_delayed(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = Latency("n2>n1", delay_ms=50).between(1.5, 2)
    window, changed_s = held(monkeypatch, [Pause("n1").between(1, 4), alone])
    assert changed_s == pytest.approx([1.5, 2], abs=0.01)
    assert window.acted
    assert window.evidence.endswith("pieces of data delayed")


def test_a_delay_that_is_longer_than_its_window_holds_data_until_that_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    window, _ = held(monkeypatch, [Pause("n2").between(1, 4), Latency("n1", delay_ms=900).between(1.5, 2)])
    assert window.acted
    assert window.evidence.endswith("pieces of data delayed")
