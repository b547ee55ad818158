"""A rank is killed while a hundredth of each gradient travels: its residual is lost, and the loss still falls."""

from __future__ import annotations

from drills.exchange._checks import LATE_CHECKS
from faults.kill import Kill
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3, exchange="top-k", step_ms=10),
    workload=Steps(),
    load=Load(rate=20, clients=60, seconds=12, timeout_ms=4000),
    faults=[Kill("one").between(1.5, 2.5)],
    checks=LATE_CHECKS,
    slos=["availability >= 99%", "max < 3s", "lost_steps < 1", "bytes_per_step < 200kB"],
    nightly=True,
)
