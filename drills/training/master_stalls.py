"""The master of a parameter server stalls again and again for less than a second: gradients pushed again count once."""

from __future__ import annotations

from drills.training._checks import CHECKS
from faults.pause import Pause
from harness.model.drill import Drill
from harness.model.load import Load
from systems.parameter_server import ParameterServer
from workloads.steps import Steps

drill = Drill(
    system=ParameterServer(workers=3),
    workload=Steps(),
    load=Load(rate=20, clients=50, seconds=9, timeout_ms=2500),
    faults=[Pause("master").between(start, start + 0.7) for start in (1.0, 2.2, 3.4, 4.6, 5.8)],
    checks=CHECKS,
    slos=["availability >= 99%", "max < 2s"],
    nightly=True,
)
