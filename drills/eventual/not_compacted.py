"""A disk is nearly full, so that a log grows and cannot be compacted, when all nodes die: they start with what they had."""

from __future__ import annotations

from faults.disk_full import DiskFull
from faults.kill import Kill
from harness.checkers.converges import converges
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.eventual import Eventual
from workloads.registers import Registers

drill = Drill(
    system=Eventual(compact_at_kib=2),
    workload=Registers(keys=10, writes=0.6),
    load=Load(rate=200, clients=30, seconds=5),
    faults=[DiskFull("one", nearly=True).between(1, 2.6), Kill("all").between(2.5, 2.8)],
    checks=[converges, nothing_lost],
    slos=["availability >= 50%"],
    nightly=True,
)
