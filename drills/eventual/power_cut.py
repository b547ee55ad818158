"""Replicas lose power at once while one has not heard from the others: what it acknowledged alone was synced."""

from __future__ import annotations

from faults.partition import Partition
from faults.power_loss import PowerLoss
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
    faults=[Partition("n1").between(1, 4.2), PowerLoss("all").between(2.5, 3)],
    checks=[converges, nothing_lost],
    slos=["availability >= 60%"],
    nightly=True,
)
