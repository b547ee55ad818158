"""A parameter server's master is killed and back at once, twice, while its standby is gone: each time it leads another term."""

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
    load=Load(rate=20, clients=80, seconds=9, timeout_ms=4000),
    faults=[
        Kill("standby").between(1, 7.5),
        Kill("master").between(2.5, 2.8),
        Kill("master").between(5, 5.3),
    ],
    checks=MASTER_CHECKS,
    slos=["availability >= 99%", "max < 4s"],
    nightly=True,
)
