"""The master is killed under bounded staleness: the standby resumes the newest checkpoint with its open batches."""

from __future__ import annotations

from drills.staleness._checks import MASTER_CHECKS
from faults.kill import Kill
from harness.model.drill import Drill
from harness.model.load import Load
from systems.parameter_server import ParameterServer
from workloads.steps import Steps

drill = Drill(
    system=ParameterServer(workers=3, mode="bounded", staleness=2, step_ms=150, checkpoint_every=5),
    workload=Steps(),
    load=Load(rate=20, clients=80, seconds=10, timeout_ms=5000),
    faults=[Kill("master").at_step(23, for_s=1.5)],
    checks=MASTER_CHECKS,
    slos=["availability >= 99%", "max < 4s"],
    nightly=True,
)
