"""An old owner does not hear of a move: nothing is copied until it does."""

from __future__ import annotations

from faults.join import Join
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
    system=Partitioned(members=3, spares=1, partitions=32),
    workload=Registers(keys=60, writes=0.6),
    load=Load(rate=250, clients=100, seconds=6),
    faults=[Join("n4").between(1, 5.5), Isolate("coordinator>n1").between(0.9, 3)],
    checks=[linearizable, nothing_lost, one_owner, moved_share],
    slos=["availability >= 85%"],
    nightly=True,
)
