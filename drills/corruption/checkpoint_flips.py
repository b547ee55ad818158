"""A bit flips in memory just before a checkpoint is saved, and all are killed as they save the next: an older one is whole."""

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
    faults=[
        FlipMemory("rank1", of="checkpoint", bit=30).between_steps(22, 32),
        # All parts of the fourth checkpoint are written, in place of those of the first: only the second is left.
        Kill("coordinator rank0 rank1 rank2").when(renaming="every", at="coordinator", nth=4),
    ],
    checks=(*CHECKS, checkpoints_valid),
    slos=["availability >= 60%", "lost_steps <= 30"],
    nightly=True,
)
