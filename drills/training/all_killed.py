"""All ranks are killed at once, so no rank holds the state: training resumes from the newest checkpoint."""

from __future__ import annotations

from drills.training._checks import CHECKS
from faults.kill import Kill
from harness.checkers.checkpoints_valid import checkpoints_valid
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3, checkpoint_every=5),
    workload=Steps(),
    load=Load(rate=40, clients=60, seconds=8, timeout_ms=3000),
    faults=[Kill("all").between(2.5, 3.5)],
    checks=(*CHECKS, checkpoints_valid),
    slos=["availability >= 50%", "lost_steps <= 20"],
    nightly=True,
)
