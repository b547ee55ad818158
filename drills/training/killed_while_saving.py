"""A rank is killed as it renames its part of a checkpoint, then the coordinator as it renames the manifest, then all.

Whatever is left half saved, training resumes from a complete checkpoint.
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
