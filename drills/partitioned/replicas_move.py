"""One of three replicas misses writes and deletes, then another one leaves, and its copies come from the others."""

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
    system=Partitioned(members=4, spares=1, replicas=3, partitions=16),
    workload=Registers(keys=40, writes=0.45, deletes=0.15),
    load=Load(rate=200, clients=40, seconds=7),
    faults=[
        Isolate("n2").between(1, 2),
        Leave("n1").between(2.2, 6),
        Join("n5").between(3.5, 6),
    ],
    checks=[linearizable, nothing_lost, one_owner, moved_share],
    slos=["availability >= 90%"],
    nightly=True,
)
