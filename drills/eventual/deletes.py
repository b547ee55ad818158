"""Keys are written and deleted on both sides of a partition: in the end, each is as its last call left it."""

from __future__ import annotations

from faults.partition import Partition
from harness.checkers.converges import converges
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.eventual import Eventual
from workloads.registers import Registers

drill = Drill(
    system=Eventual(grace_s=1),
    workload=Registers(keys=150, writes=0.4, deletes=0.2),
    load=Load(rate=250, clients=20, seconds=4.5),
    faults=[Partition("one").between(1, 4)],
    checks=[converges, nothing_lost],
    slos=["p50 < 50ms", "availability >= 99%"],
    nightly=True,
)
