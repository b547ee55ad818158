"""A rank of an all-reduce is killed: if any other rank holds the sum, all apply it, and all hold the same bits."""

from __future__ import annotations

from drills.exchange._checks import CLOSE_CHECKS
from faults.kill import Kill
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3, exchange="allreduce", step_ms=10),
    workload=Steps(),
    load=Load(rate=20, clients=60, seconds=12, timeout_ms=4000),
    faults=[Kill("one").between(1.5, 2.5)],
    checks=CLOSE_CHECKS,
    slos=["availability >= 99%", "max < 3s", "lost_steps < 1", "bytes_per_step < 2MB"],
    nightly=True,
)
