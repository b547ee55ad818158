"""A rank is frozen for five seconds: the others go on without it within a second, and refuse its gradient when it wakes."""

from __future__ import annotations

from drills.training._checks import CHECKS
from faults.pause import Pause
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3),
    workload=Steps(),
    load=Load(rate=40, clients=60, seconds=10, timeout_ms=2000),
    faults=[Pause("one").between(1.5, 6.5)],
    checks=CHECKS,
    slos=["availability >= 99%", "max < 1.5s", "lost_steps < 1"],
    nightly=True,
)
