"""Four ranks become two, four, three and four again while they train: the bits do not depend on their number."""

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
    load=Load(rate=40, clients=60, seconds=12, timeout_ms=2000),
    faults=[Kill("half").between(1.5, 4), Kill("one").between(7, 8)],
    checks=CHECKS,
    slos=["availability >= 99%", "max < 1.5s"],
    nightly=True,
)
