"""One window of a fault that is not what a fault should be: it has not acted, and the run goes on."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar, cast

import pytest

from harness.model.environment import Environment
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault
from harness.model.fault_window import FaultWindow
from harness.run.injector import hold
from harness.run.schedule import PlannedWindow

ACTED = Evidence(acted=True, text="it acted")


@dataclass(frozen=True)
class Odd(Fault):
    """Returns these things, and raises those that are errors."""

    injected: object = ACTED
    healed: object = ACTED

    aims_at: ClassVar[Aim] = "nodes"

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return _given(self.injected)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        return _given(self.healed)


def _given(value: object) -> Evidence:
    if isinstance(value, Exception):
        raise value
    return cast(Evidence, value)


class Unwatched:
    def on_window(self, record: FaultWindow) -> None: ...


@pytest.mark.parametrize(
    ("fault", "acted", "told"),
    [
        (Odd("n1"), True, "it acted"),
        (Odd("n1", injected=None), False, "Odd did not act: Odd.inject returned None, which is no Evidence"),
        (
            Odd("n1", injected=Evidence(acted=cast(bool, "yes"), text="")),
            False,
            "Odd did not act: Odd.inject returned Evidence(acted='yes'",
        ),
        (Odd("n1", injected=TimeoutError()), False, "Odd did not act: TimeoutError"),
        (
            Odd("n1", healed=None),
            False,
            "it acted could not be healed or measured: Odd.heal returned None, which is no Evidence",
        ),
        (Odd("n1", healed=TimeoutError()), False, "it acted could not be healed or measured: TimeoutError"),
    ],
)
def test_a_fault_that_gives_no_evidence_has_not_acted(fault: Odd, acted: bool, told: str) -> None:
    environment = cast(Environment, SimpleNamespace(monotonic_ns=time.monotonic_ns))
    planned = PlannedWindow(label="w0", window=fault.between(0.0, 0.01), targets=Targets(label="w0", nodes=("n1",), links=()))
    record = asyncio.run(hold(environment, planned, time.monotonic_ns(), Unwatched(), asyncio.Event()))
    assert (record.acted, record.evidence[: len(told)]) == (acted, told)
