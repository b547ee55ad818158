"""Two replicas are cut off from each other, with short queues for each other's writes: with full queues they refuse writes."""

from __future__ import annotations

from faults.partition import Partition
from harness.checkers.converges import converges
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.eventual import Eventual
from workloads.registers import Registers

drill = Drill(
    system=Eventual(replicas=2, hints=15, anti_entropy_s=None, repaired_reads=0),
    workload=Registers(keys=100, writes=0.5),
    load=Load(rate=250, clients=30, seconds=5),
    faults=[Partition("one").between(1, 3)],
    checks=[converges, nothing_lost],
    slos=["p50 < 50ms", "availability >= 60%"],
    nightly=True,
)
