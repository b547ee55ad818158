"""Faults by the steps of a training: when they begin and end, and the message for a step that is never reached."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import cast

import pytest

from faults.kill import Kill
from faults.pause import Pause
from harness.model.drill import Drill
from harness.model.environment import Environment
from harness.model.errors import UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Fault, StepWindow, Window
from harness.model.fault_window import FaultWindow
from harness.model.load import Load
from harness.model.steps import Steps
from harness.model.system import Trained
from harness.node.journal import FILE, FileJournal
from harness.run.injector import hold
from harness.run.schedule import PlannedWindow, plan
from harness.run.schedule_file import encode, read
from systems.parts.sampler import Use
from systems.training import records
from tests.helpers.echo import Echo, Numbers
from tests.helpers.journals import journal_in


@dataclass(frozen=True, kw_only=True)
class Trainer(Echo):
    """An echo that says it trains."""

    def trained(self, data: object) -> Trained:
        return Trained(steps=[], events=[])

    def steps_done(self, data: object) -> int:
        return 0

    def control(self, steps: int) -> list[dict[str, object]]:
        return []


class Training:
    """An environment in which each look finds one more completed step, up to a last one."""

    def __init__(self, last: int = 10**9, look_s: float = 0.0) -> None:
        self.done = -1
        self._last = last
        self._look_s, self._looks = look_s, 0
        """The time that passes with each look at the clock, besides its own."""

    def monotonic_ns(self) -> int:
        self._looks += 1
        return time.monotonic_ns() + round(self._looks * self._look_s * 1e9)

    def steps_done(self) -> int:
        self.done = min(self.done + 1, self._last)
        return self.done


@dataclass(frozen=True)
class Noting(Fault):
    """Notes in which steps it began and ended."""

    aims_at = "nodes"

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return Evidence(acted=True, text="", readings={"begun": cast(Training, environment).done})

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        return Evidence(acted=True, text=f"{injected.readings['begun']} to {cast(Training, environment).done}")


class Listener:
    def on_window(self, record: FaultWindow) -> None: ...


def held(window: Window, training: Training) -> FaultWindow:
    planned = PlannedWindow(label="w0", window=window, targets=Targets(label="w0", nodes=("n0",), links=()))
    return asyncio.run(hold(cast(Environment, training), planned, time.monotonic_ns(), Listener(), asyncio.Event()))


def expanded(item: StepWindow) -> Window:
    [window] = item.expand(Random(0), 5.0)
    return window


def test_a_fault_begins_and_ends_with_the_steps() -> None:
    record = held(expanded(Noting("n0").between_steps(5, 9)), Training())
    assert record.acted
    assert record.evidence == "began with 5 steps done; 5 to 9"


def test_a_fault_at_a_step_ends_so_many_seconds_later_whatever_the_steps_do() -> None:
    record = held(expanded(Noting("n0").at_step(3, for_s=0.01)), Training(last=3))
    assert record.acted
    assert record.injected_s is not None
    assert record.healed_s is not None
    assert record.healed_s - record.injected_s >= 0.01


def test_a_fault_ends_if_it_keeps_the_step_with_which_it_is_to_end_from_coming() -> None:
    record = held(replace(expanded(Noting("n0").between_steps(3, 9)), to_s=3600.0), Training(last=6, look_s=2.0))
    assert record.acted
    assert "; ended without step 9, because no step came for " in record.evidence


def test_a_fault_does_not_end_while_steps_come_however_slowly() -> None:
    record = held(replace(expanded(Noting("n0").between_steps(3, 9)), to_s=3600.0), Training(look_s=9.0))
    assert record.evidence == "began with 3 steps done; 3 to 9"


def test_a_step_that_is_never_reached_leaves_the_fault_not_acted() -> None:
    training = Training(last=4)
    training.done = 4  # so that one look is enough: on a busy machine there may be no other
    record = held(Window(fault=Noting("n0"), from_s=0, to_s=0.02, steps=Steps(begin=7, for_s=1)), training)
    assert record.acted is False
    assert record.evidence == "step 7 was never reached: 4 steps were done"


def drill(*faults: object, system: Echo | None = None) -> Drill:
    return Drill(system=system or Trainer(), workload=Numbers(), load=Load(rate=10, seconds=30), faults=faults)  # type: ignore[arg-type]


def test_random_windows_come_from_the_seed_alone_and_about_as_often_as_was_asked() -> None:
    faults = [Kill("one").at_random_steps(0, 2000, mean_steps=20), Pause("one").at_random(0, 25, mean_s=0.5)]
    assert plan(drill(*faults), 1) == plan(drill(*faults), 1) != plan(drill(*faults), 2)
    windows = plan(drill(*faults), 1)
    kills = [one.window.steps.begin for one in windows if one.window.steps]
    assert kills == sorted(kills)
    assert 70 <= len(kills) <= 130
    assert 30 <= len(windows) - len(kills) <= 70


def test_a_schedule_by_steps_reads_back_as_it_was_written(tmp_path: Path) -> None:
    asked = drill(Kill("one").at_step(120), Pause("one").between_steps(5, 8), Kill("one").between(1, 2))
    windows = plan(asked, 3)
    (tmp_path / "schedule.json").write_bytes(encode(windows, "mine", 3))
    assert read(tmp_path, asked) == tuple(windows)


MISTAKES: list[tuple[Callable[[], object], str]] = [
    (lambda: Kill("one").between_steps(8, 8), "a later step to end at"),
    (lambda: Kill("one").at_step(-1), "a first step of at least 0"),
    (lambda: Kill("one").at_step(3.5), r"step 3\.5 for 1 s: needs whole numbers of steps"),  # type: ignore[arg-type]
    (lambda: Kill("one").between_steps(3, 9.5), r"steps 3–9\.5: needs whole numbers of steps"),  # type: ignore[arg-type]
    (lambda: Kill("one").at_step(1, for_s=0), "needs for_s >= 0.001"),
    (lambda: Kill("one").at_random_steps(5, 5, mean_steps=2), "from_step < to_step"),
    (lambda: Kill("one").at_random(5, 9, mean_s=0), "at least 0.001"),
    (lambda: drill(Kill("one").at_step(1), system=Echo()), "Echo does not train, so it has no steps"),
]


@pytest.mark.parametrize(("make", "said"), MISTAKES)
def test_what_makes_no_sense_is_refused(make: Callable[[], object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make()


def test_the_steps_of_a_node_are_counted_from_the_end_of_its_records(tmp_path: Path) -> None:
    assert records.steps_done(journal_in(tmp_path)) == 0
    written = records.Records(FileJournal(tmp_path / FILE), "rank0")
    for step in range(300):
        written.begun(0, step, [Use(0, step, 0, step)] * 40)
        written.done(
            records.Done(
                node="rank0", generation=0, step=step, begun_ns=0, at_ns=0, collective_ns=0, stalled_ns=0,
                loss=0.0, gradient_norm=0.0, parameters="",
            )
        )  # fmt: skip
    written.begun(0, 300, [Use(0, 300, 0, 300)])
    assert records.steps_done(journal_in(tmp_path)) == 300
