"""Four ranks become one for most of a training and four again: the gradient stays the mean over samples."""

from __future__ import annotations

from drills.exchange._checks import CLOSE_CHECKS
from faults.kill import Kill
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=4, exchange="allreduce", step_ms=40),
    workload=Steps(),
    load=Load(rate=20, clients=60, seconds=12, timeout_ms=4000),
    faults=[Kill("rank1 rank2 rank3").between(1, 9)],
    checks=CLOSE_CHECKS,
    slos=["availability >= 99%", "max < 3s"],
    nightly=True,
)
