"""The disk under one rank's checkpoints is full, then fails to sync: training goes on, and the next checkpoint is whole."""

from __future__ import annotations

from drills.training._checks import CHECKS
from faults.disk_full import DiskFull
from faults.sync_fails import SyncFails
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3, checkpoint_every=5),
    workload=Steps(),
    load=Load(rate=40, clients=12, seconds=7.5),
    faults=[DiskFull("rank1").between(1, 2.5), SyncFails("rank2").between(3, 4.5)],
    checks=CHECKS,
    slos=["availability >= 99%", "max < 1s"],
    nightly=True,
)
