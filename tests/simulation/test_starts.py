"""When a simulated node counts as started: as a real one does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from harness.model.drill import Drill
from harness.model.errors import NodeDown
from harness.model.history import History
from harness.model.load import Load
from harness.model.system import Address, Node
from harness.simulation.record import SimulatedRun
from tests.helpers.wayward import LATE_S, Wayward
from workloads.registers import Registers


@dataclass(frozen=True, kw_only=True)
class Slow(Wayward):
    """Its node has some time to start."""

    does: str = "start late"
    within_s: float

    def nodes(self) -> Sequence[Node]:
        return [replace(node, starts_within_s=self.within_s) for node in super().nodes()]


@dataclass(frozen=True, kw_only=True)
class Probed(Wayward):
    """It has its own way to see whether a node answers, which fails in its own way."""

    does: str = "nothing"

    async def probe(self, address: Address) -> None:
        try:
            _, writer = await asyncio.open_connection(*address)
        except OSError as error:
            raise ValueError("not yet") from error
        writer.close()


def simulated(system: Wayward) -> History:
    drill = Drill(system=system, workload=Registers(keys=1), load=Load(rate=5, seconds=1))
    return SimulatedRun(drill, [], 1).carry_out().history


def started(history: History) -> list[str]:
    return history.events["node"][history.events["kind"] == "started"].tolist()


def test_a_node_may_take_as_long_to_start_as_its_own_limit_says() -> None:
    assert "n1" in started(simulated(Slow(within_s=LATE_S + 1)))
    with pytest.raises(NodeDown, match=r"n1 did not answer within 39 s of its start"):
        simulated(Slow(within_s=LATE_S - 1))


def test_a_system_may_have_its_own_probe() -> None:
    assert "n1" in started(simulated(Probed()))
