"""A replica's disk is full for a while, then it dies: it refuses writes, and no read finds a refused one."""

from __future__ import annotations

from faults.disk_full import DiskFull
from faults.kill import Kill
from harness.checkers.converges import converges
from harness.checkers.monotonic_reads import monotonic_reads
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.eventual import Eventual
from workloads.registers import Registers

drill = Drill(
    system=Eventual(sessions=True),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=200, clients=20, seconds=5),
    faults=[DiskFull("one").between(1, 3), Kill("all").between(3.5, 4)],
    checks=[monotonic_reads, converges, nothing_lost],
    slos=["availability >= 70%"],
    nightly=True,
)
