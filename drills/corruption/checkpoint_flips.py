"""A bit flips in memory just before a checkpoint is saved, then all ranks are killed: they resume from an older checkpoint."""

from __future__ import annotations

from drills.training._checks import CHECKS
from faults.flip_memory import FlipMemory
from faults.kill import Kill
from harness.checkers.checkpoints_valid import checkpoints_valid
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3, checkpoint_every=10),
    workload=Steps(),
    load=Load(rate=40, clients=100, seconds=10, timeout_ms=4000),
    faults=[FlipMemory("rank1", of="checkpoint", bit=30).between_steps(22, 32), Kill("all").at_step(35)],
    checks=(*CHECKS, checkpoints_valid),
    slos=["availability >= 60%", "lost_steps <= 20"],
    nightly=True,
)
