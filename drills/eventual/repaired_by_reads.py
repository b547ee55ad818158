"""Replicas are cut off in turn, then repaired by reads: every read brings all replicas up to date."""

from __future__ import annotations

from faults.partition import Partition
from harness.checkers.converges import converges
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.eventual import Eventual
from workloads.registers import Registers

drill = Drill(
    system=Eventual(repaired_reads=1),
    workload=Registers(keys=40, writes=0.4),
    load=Load(rate=200, clients=20, seconds=5),
    faults=[Partition("n1").between(0.8, 2.3), Partition("n2").between(2.6, 4.2)],
    checks=[converges, nothing_lost],
    slos=["p50 < 50ms", "availability >= 99%"],
    nightly=True,
)
