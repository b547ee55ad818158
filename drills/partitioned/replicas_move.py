"""A replica misses writes and deletes, and is hardly back when another one leaves, whose copies come from the others; twice."""

from __future__ import annotations

from faults.join import Join
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
    system=Partitioned(members=4, spares=1, replicas=3, partitions=16, moves_at_once=16),
    workload=Registers(keys=300, writes=0.4, deletes=0.25),
    load=Load(rate=300, clients=40, seconds=7),
    faults=[
        Isolate("n2").between(0.8, 2.3),
        Leave("n1").between(2.1, 6.5),
        Join("n5").between(3, 6.5),
        Isolate("n3").between(3.2, 4.7),
        Leave("n4").between(4.5, 6.5),
    ],
    checks=[linearizable, nothing_lost, one_owner, moved_share],
    slos=["availability >= 90%"],
    nightly=True,
)
