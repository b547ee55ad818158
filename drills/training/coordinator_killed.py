"""The coordinator is killed, and while it is gone a rank as well: training waits until it is back, and nothing is lost."""

from __future__ import annotations

from drills.training._checks import CHECKS
from faults.kill import Kill
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3),
    workload=Steps(),
    load=Load(rate=40, clients=100, seconds=9, timeout_ms=3000),
    faults=[Kill("coordinator").between(1.5, 4), Kill("one").between(3, 5)],
    checks=CHECKS,
    slos=["availability >= 99%", "max < 3s"],
    nightly=True,
)
