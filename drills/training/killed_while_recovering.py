"""A rank is killed, and another one while the rest regroups: the last one goes on from the step that it holds."""

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
    load=Load(rate=40, clients=60, seconds=8, timeout_ms=2500),
    faults=[Kill("rank0").between(1.5, 3), Kill("rank1").between(1.53, 3.5)],
    checks=CHECKS,
    slos=["availability >= 99%", "max < 2s"],
    nightly=True,
)
