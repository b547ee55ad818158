"""Workers of a parameter server are killed in turn, and come back: others compute their shards within a second."""

from __future__ import annotations

from drills.training._checks import CHECKS
from faults.kill import Kill
from harness.model.drill import Drill
from harness.model.load import Load
from systems.parameter_server import ParameterServer
from workloads.steps import Steps

drill = Drill(
    system=ParameterServer(workers=3),
    workload=Steps(),
    load=Load(rate=20, clients=50, seconds=7.5, timeout_ms=2500),
    faults=[
        Kill("worker1").between(1, 1.5),
        Kill("worker2").between(2.2, 2.7),
        Kill("worker3").between(3.4, 3.9),
        Kill("worker1").between(4.6, 5.1),
    ],
    checks=CHECKS,
    slos=["availability >= 99%", "max < 1.5s"],
    nightly=True,
)
