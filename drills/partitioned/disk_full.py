"""The disk of the node that joins is full for a while: its moves are rolled back, and done later."""

from __future__ import annotations

from faults.disk_full import DiskFull
from faults.join import Join
from harness.checkers.linearizable import linearizable
from harness.checkers.moved_share import moved_share
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_owner import one_owner
from harness.model.drill import Drill
from harness.model.load import Load
from systems.partitioned import Partitioned
from workloads.registers import Registers

drill = Drill(
    system=Partitioned(members=3, spares=1),
    workload=Registers(keys=60, writes=0.5),
    load=Load(rate=200, clients=40, seconds=6),
    faults=[Join("n4").between(1, 5.5), DiskFull("n4").between(1.1, 2.6)],
    checks=[linearizable, nothing_lost, one_owner, moved_share],
    slos=["availability >= 90%"],
    nightly=True,
)
