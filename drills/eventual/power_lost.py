"""One replica loses power in the middle of a write, later all lose it at once: everything acknowledged was synced."""

from __future__ import annotations

from faults.partition import Partition
from faults.power_loss import PowerLoss
from faults.slow_disk import SlowDisk
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
    faults=[
        SlowDisk("n2", delay_ms=40).between(0.7, 1.15),
        PowerLoss("n2", torn=True).between(1.1, 1.5),
        Partition("n1").between(1.8, 4.2),
        PowerLoss("all").between(3.6, 4),
    ],
    checks=[converges, nothing_lost],
    slos=["availability >= 60%"],
    nightly=True,
)
