"""A rank is killed while gradients travel as bfloat16: the others go on from the step that they hold."""

from __future__ import annotations

from drills.exchange._checks import CLOSE_CHECKS
from faults.kill import Kill
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3, exchange="bf16", step_ms=10),
    workload=Steps(),
    load=Load(rate=20, clients=60, seconds=12, timeout_ms=4000),
    faults=[Kill("one").between(1.5, 2.5)],
    checks=CLOSE_CHECKS,
    slos=["availability >= 99%", "max < 3s", "lost_steps < 1", "bytes_per_step < 1MB"],
    nightly=True,
)
