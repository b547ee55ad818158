"""An owner that the coordinator cannot reach learns from its peers that all three replicas have moved away."""

from __future__ import annotations

from faults.leave import Leave
from faults.partition import Isolate
from harness.checkers.linearizable import linearizable
from harness.checkers.moved_share import moved_share
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_owner import one_owner
from harness.model.drill import Drill
from harness.model.load import Load
from systems.partitioned import Partitioned
from workloads.registers import Registers

drill = Drill(
    system=Partitioned(members=6, spares=0, replicas=3, partitions=12, moves_at_once=12),
    workload=Registers(keys=20, writes=0.5),
    load=Load(rate=100, clients=150, seconds=6),
    faults=[
        Isolate("coordinator>n1").between(0.9, 5),
        Leave("n3").between(1, 5.5),
        Leave("n2").between(1.2, 5.5),
        Leave("n1").between(1.4, 5.5),
    ],
    checks=[linearizable, nothing_lost, one_owner, moved_share],
    slos=["availability >= 80%"],
    nightly=True,
)
