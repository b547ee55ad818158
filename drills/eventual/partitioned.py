"""One of three replicas is cut off from the others while clients still reach it: all go on, and agree when it is back."""

from __future__ import annotations

from faults.partition import Partition
from harness.checkers.converges import converges
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.eventual import Eventual
from workloads.registers import Registers

drill = Drill(
    system=Eventual(),
    workload=Registers(keys=150, writes=0.5),
    load=Load(rate=200, clients=20, seconds=4.5),
    faults=[Partition("one").between(1, 4)],
    checks=[converges, nothing_lost],
    slos=["p50 < 50ms", "availability >= 99.9%", "convergence < 1s"],
    nightly=True,
)
