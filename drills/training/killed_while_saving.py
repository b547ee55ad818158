"""A rank is killed as its part of a checkpoint takes its name, then the coordinator as the manifest does, then everybody.

Whatever was left half saved, training resumes from a checkpoint that is whole.
"""

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
    load=Load(rate=40, clients=100, seconds=11, timeout_ms=4000),
    faults=[
        Kill("rank1").when(renaming="every", nth=2, from_s=0.5, for_s=0.5),
        Kill("coordinator").when(renaming="every", nth=2, from_s=2.5, for_s=0.5),
        Kill("all").when(at="rank0", syncing="every", nth=2, from_s=5, for_s=0.5),
    ],
    checks=(*CHECKS, checkpoints_valid),
    slos=["availability >= 75%"],
    nightly=True,
)
