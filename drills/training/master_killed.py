"""The master of a parameter server is killed: the standby takes over from the newest checkpoint, and no bit differs."""

from __future__ import annotations

from drills.training._checks import MASTER_CHECKS
from faults.kill import Kill
from harness.model.drill import Drill
from harness.model.load import Load
from systems.parameter_server import ParameterServer
from workloads.steps import Steps

drill = Drill(
    system=ParameterServer(workers=3, checkpoint_every=5),
    workload=Steps(),
    load=Load(rate=20, clients=80, seconds=7, timeout_ms=4000),
    faults=[Kill("master").between(2.5, 4)],
    checks=MASTER_CHECKS,
    slos=["availability >= 99%", "max < 3s"],
)
