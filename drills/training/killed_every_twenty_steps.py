"""A rank is killed every twenty steps on average, wherever a step is just then: no step is lost, and no bit is different."""

from __future__ import annotations

from drills.training._checks import CHECKS
from faults.kill import Kill
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=4),
    workload=Steps(),
    load=Load(rate=20, clients=100, seconds=18, timeout_ms=4000),
    faults=[Kill("one").at_random_steps(20, 120, mean_steps=20, for_s=0.3)],
    checks=CHECKS,
    slos=["availability >= 95%", "lost_steps < 1"],
    nightly=True,
)
