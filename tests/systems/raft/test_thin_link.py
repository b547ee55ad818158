"""A node behind a thin link: whatever it lacks gets through, in entries or in a snapshot, although all of it is long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import msgspec
import pytest

from faults.partition import Isolate
from faults.shared_bandwidth import SharedBandwidth
from harness.checkers.linearizable import linearizable
from harness.model.consensus_events import Applied
from harness.model.drill import Drill
from harness.model.history import History
from harness.model.load import Load
from harness.model.system import Call
from harness.simulation.seed_run import run_seed
from harness.simulation.swarm import PLAIN
from systems.raft import Raft
from workloads.registers import Registers

UNTIL_S = 9.0
"""Until then, n3's link carries 80 kB/s. Written are about 30 kB/s."""


@dataclass(frozen=True, kw_only=True)
class LongRegisters(Registers):
    """Registers with values of 2000 characters."""

    def calls(self, random: Random) -> Iterator[Call]:
        for call in super().calls(random):
            yield Call("write", call.key, str(call.value).ljust(2000)) if call.kind == "write" else call


def applied(history: History, node: str) -> int:
    """The last entry that a node had applied while the link was thin."""
    events = history.events
    told = events[(events["node"] == node) & (events["kind"] == "applied") & (events["at_ns"] < UNTIL_S * 1e9)]
    return max(msgspec.json.decode(detail, type=Applied).index for detail in told["detail"])


@pytest.mark.parametrize("compact_at_kib", [2, 1024])
@pytest.mark.parametrize("in_flight_kib", [1, 4096])
def test_what_a_node_lacks_gets_through(compact_at_kib: int, in_flight_kib: int) -> None:
    drill = Drill(
        system=Raft(compact_at_kib=compact_at_kib, keep=0, in_flight_kib=in_flight_kib),
        workload=LongRegisters(keys=50, writes=0.9),
        load=Load(rate=16, clients=5, seconds=UNTIL_S + 0.5),
        faults=[Isolate("n3").between(0.3, 3), SharedBandwidth("n3", kb_per_s=80).between(2.9, UNTIL_S)],
        checks=[linearizable],
    )
    history = run_seed("thin", drill, 1, swarm=PLAIN).recorded.history
    assert applied(history, "n3") > applied(history, "n1") - 8
