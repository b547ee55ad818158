"""A rank is killed between two outer steps: the others repeat the round, and send it the momentum when it comes back."""

from __future__ import annotations

from drills.exchange._checks import CHECKS
from faults.kill import Kill
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3, exchange="local-sgd(batches=4, momentum=0.5, rate=0.7)", step_ms=10),
    workload=Steps(),
    load=Load(rate=20, clients=60, seconds=12, timeout_ms=4000),
    faults=[Kill("one").between(1.5, 2.5)],
    checks=CHECKS,
    slos=["availability >= 99%", "max < 3s", "lost_steps < 1", "bytes_per_step < 2MB"],
    nightly=True,
)
