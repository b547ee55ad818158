"""A master is frozen while the disks of its standby and of two workers are full: the standby leads once they have room."""

from __future__ import annotations

from drills.training._checks import MASTER_CHECKS
from faults.disk_full import DiskFull
from faults.pause import Pause
from harness.checkers.majority_took_part import majority_took_part
from harness.model.drill import Drill
from harness.model.load import Load
from systems.parameter_server import ParameterServer
from workloads.steps import Steps

drill = Drill(
    system=ParameterServer(workers=3, checkpoint_every=5),
    workload=Steps(),
    load=Load(rate=20, clients=120, seconds=9.5, timeout_ms=5000),
    faults=[
        Pause("master").between(2, 6.5),
        DiskFull("standby").between(1.5, 3.5),
        DiskFull("worker1 worker2").between(1.5, 4.8),
    ],
    checks=(*MASTER_CHECKS, majority_took_part),
    slos=["availability >= 99%", "max < 5s"],
    nightly=True,
)
