"""A disk is nearly full, so that a log grows and cannot be compacted, when all nodes die: they start with what they had."""

from __future__ import annotations

from faults.disk_full import DiskFull
from faults.kill import Kill
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_owner import one_owner
from harness.model.drill import Drill
from harness.model.load import Load
from systems.partitioned import Partitioned
from workloads.registers import Registers

drill = Drill(
    system=Partitioned(members=3, spares=0, partitions=6, segment_kib=1),
    workload=Registers(keys=10, writes=0.6),
    load=Load(rate=200, clients=30, seconds=5),
    faults=[DiskFull("n1", nearly=True).between(1, 2.6), Kill("all").between(2.5, 2.8)],
    checks=[linearizable, nothing_lost, one_owner],
    slos=["availability >= 50%"],
    nightly=True,
)
