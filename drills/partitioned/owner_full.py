"""The disk of an owner is full when its partitions get other replicas: another owner answers for them, and no key is away."""

from __future__ import annotations

from faults.disk_full import DiskFull
from faults.leave import Leave
from harness.checkers.linearizable import linearizable
from harness.checkers.moved_share import moved_share
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_owner import one_owner
from harness.model.drill import Drill
from harness.model.load import Load
from systems.partitioned import Partitioned
from workloads.registers import Registers

drill = Drill(
    system=Partitioned(members=4, spares=0, replicas=3, partitions=24, moves_at_once=8),
    workload=Registers(keys=60, writes=0.5),
    load=Load(rate=200, clients=60, seconds=6),
    faults=[DiskFull("n1").between(0.9, 4.2), Leave("n3").between(1.2, 5.5)],
    checks=[linearizable, nothing_lost, one_owner, moved_share],
    slos=["availability >= 97%"],
    nightly=True,
)
