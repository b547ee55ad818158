"""The master's disk is so slow that checkpoints are due while one is being written; then the master is killed."""

from __future__ import annotations

from drills.training._checks import MASTER_CHECKS
from faults.kill import Kill
from faults.slow_disk import SlowDisk
from harness.model.drill import Drill
from harness.model.load import Load
from systems.parameter_server import ParameterServer
from workloads.steps import Steps

drill = Drill(
    system=ParameterServer(workers=3, checkpoint_every=2),
    workload=Steps(),
    load=Load(rate=20, clients=80, seconds=8, timeout_ms=4000),
    faults=[SlowDisk("master", delay_ms=80).between(1, 5), Kill("master").between(3.5, 5)],
    checks=MASTER_CHECKS,
    slos=["availability >= 99%", "max < 3s"],
    nightly=True,
)
