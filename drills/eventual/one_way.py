"""The others hear one replica, but it does not hear them: they send their writes again until it does."""

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
    faults=[Partition("one", direction="in").between(1, 4)],
    checks=[converges, nothing_lost],
    slos=["p50 < 50ms", "availability >= 99%"],
    nightly=True,
)
