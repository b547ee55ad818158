"""A rank is killed in the middle of training and comes back: the others go on at once, and the parameters stay bit-equal."""

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
    load=Load(rate=40, clients=12, seconds=6),
    faults=[Kill("one").between(1.5, 2.5)],
    checks=CHECKS,
    slos=["availability >= 99%", "max < 1s", "lost_steps < 1"],
)
