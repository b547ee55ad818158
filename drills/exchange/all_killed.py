"""All ranks are killed and resume: with the residuals of the checkpoint they repeat the same steps bit for bit."""

from __future__ import annotations

from faults.kill import Kill
from harness.checkers.every_sample_once import every_sample_once
from harness.checkers.recovered import recovered
from harness.checkers.replicas_agree import replicas_agree
from harness.checkers.resumes_exactly import resumes_exactly
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3, exchange="one-bit", step_ms=10, checkpoint_every=5),
    workload=Steps(),
    load=Load(rate=20, clients=60, seconds=9, timeout_ms=4000),
    faults=[Kill("all").between(3, 4)],
    checks=(replicas_agree, every_sample_once, recovered, resumes_exactly),
    slos=["availability >= 50%", "lost_steps <= 20"],
    nightly=True,
)
