"""The coordinator's disk is full, and a rank is killed meanwhile: the next group is formed once the disk has room."""

from __future__ import annotations

from drills.training._checks import CHECKS
from faults.disk_full import DiskFull
from faults.kill import Kill
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3),
    workload=Steps(),
    load=Load(rate=40, clients=100, seconds=7.5, timeout_ms=4000),
    faults=[DiskFull("coordinator").between(1, 3), Kill("one").between(1.5, 4)],
    checks=CHECKS,
    slos=["availability >= 99%", "max < 3s"],
    nightly=True,
)
