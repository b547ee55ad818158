"""The coordinator dies during a move, and again as it writes the next map to its disk; reads and writes go on."""

from __future__ import annotations

from faults.join import Join
from faults.kill import Kill
from harness.checkers.linearizable import linearizable
from harness.checkers.moved_share import moved_share
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_owner import one_owner
from harness.model.drill import Drill
from harness.model.load import Load
from systems.partitioned import Partitioned
from workloads.registers import Registers

drill = Drill(
    system=Partitioned(members=3, spares=1, moves_at_once=1),
    workload=Registers(keys=60, writes=0.5),
    load=Load(rate=200, clients=20, seconds=7),
    faults=[
        Join("n4").between(1, 6.5),
        Kill("coordinator").when(sent="/beat", nth=8, from_s=1.05, for_s=0.6),
        Kill("coordinator").when(renaming="map", nth=2, from_s=2, for_s=1),
    ],
    checks=[linearizable, nothing_lost, one_owner, moved_share],
    slos=["p99 < 300ms", "availability >= 99%"],
    nightly=True,
)
