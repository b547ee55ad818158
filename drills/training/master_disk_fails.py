"""The disk under the master's checkpoints is full, then fails to sync: training goes on, and the next checkpoint is whole."""

from __future__ import annotations

from drills.training._checks import SERVED
from faults.disk_full import DiskFull
from faults.sync_fails import SyncFails
from harness.model.drill import Drill
from harness.model.load import Load
from systems.parameter_server import ParameterServer
from workloads.steps import Steps

drill = Drill(
    system=ParameterServer(workers=3, checkpoint_every=5),
    workload=Steps(),
    load=Load(rate=20, clients=50, seconds=7.5, timeout_ms=2500),
    faults=[DiskFull("master").between(1, 2.5), SyncFails("master").between(3, 4.5)],
    checks=SERVED,
    slos=["availability >= 99%", "max < 1.5s"],
    nightly=True,
)
