"""Workers are killed, one after another, and come back: another worker gets the batch that each one had."""

from __future__ import annotations

from drills.staleness._checks import CHECKS
from faults.kill import Kill
from harness.model.drill import Drill
from harness.model.load import Load
from systems.parameter_server import ParameterServer
from workloads.steps import Steps

drill = Drill(
    system=ParameterServer(workers=3, mode="asynchronous", step_ms=60),
    workload=Steps(),
    load=Load(rate=20, clients=60, seconds=8, timeout_ms=4000),
    faults=[
        Kill("worker1").between(1, 1.5),
        Kill("worker2").between(2, 2.5),
        Kill("worker3").between(3, 3.5),
        Kill("worker1").between(4, 4.5),
        Kill("worker2").between(5, 5.5),
    ],
    checks=CHECKS,
    slos=["availability >= 99%", "max < 2s"],
    nightly=True,
)
