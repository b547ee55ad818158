"""When a simulated node counts as started, and as dead by itself: as a real one does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from harness.model.drill import Drill
from harness.model.errors import NodeDown
from harness.model.history import History
from harness.model.load import Load
from harness.model.system import Node
from harness.simulation.disturbance import Disturbance
from harness.simulation.record import SimulatedRun
from harness.simulation.seed_run import run_seed
from harness.simulation.swarm import PLAIN, Swarm
from tests.helpers.echo import Numbers
from tests.helpers.lines import Lines
from tests.helpers.wayward import LATE_S, Wayward
from workloads.registers import Registers


@dataclass(frozen=True, kw_only=True)
class Slow(Wayward):
    """Its node has some time to start."""

    does: str = "start late"
    within_s: float

    def nodes(self) -> Sequence[Node]:
        return [replace(node, starts_within_s=self.within_s) for node in super().nodes()]


def simulated(system: Slow) -> History:
    drill = Drill(system=system, workload=Registers(keys=1), load=Load(rate=5, seconds=1))
    return SimulatedRun(drill, [], 1).carry_out().history


def started(history: History) -> list[str]:
    return history.events["node"][history.events["kind"] == "started"].tolist()


def test_a_node_may_take_as_long_to_start_as_its_own_limit_says() -> None:
    assert "n1" in started(simulated(Slow(within_s=LATE_S + 1)))
    with pytest.raises(NodeDown, match=r"n1 did not answer within 39 s of its start"):
        simulated(Slow(within_s=LATE_S - 1))


@pytest.mark.parametrize(("careless", "verdict"), [(False, "pass"), (True, "fail")])
def test_a_system_with_a_probe_of_its_own_is_looked_at_from_outside(careless: bool, verdict: str) -> None:
    drill = Drill(system=Lines(careless=careless), workload=Numbers(), load=Load(rate=200, seconds=1), checks=[])
    outcome = run_seed("test/lines", drill, 1, swarm=PLAIN).outcome
    assert (outcome.verdict, outcome.found) == (verdict, ("nothing_leaked",) if careless else ()), outcome.why


@pytest.mark.parametrize("disturbances", [(), (Disturbance(kind="die at rename", at_s=0.1, for_s=0.8, node="n1", nth=99),)])
def test_a_node_that_ends_itself_has_died_even_if_it_was_to_be_killed_at_some_point_of_its_work(
    disturbances: tuple[Disturbance, ...],
) -> None:
    drill = Drill(system=Wayward(does="end once"), workload=Registers(keys=1), load=Load(rate=5, seconds=1))
    outcome = run_seed("test/ends", drill, 1, swarm=Swarm(plain=False, disturbances=disturbances)).outcome
    assert "nodes_stayed_up" in outcome.found, outcome.why
