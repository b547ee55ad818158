"""The master stalls again and again for less than a second: it applies a gradient that is pushed again only once."""

from __future__ import annotations

from drills.staleness._checks import CHECKS
from faults.pause import Pause
from harness.model.drill import Drill
from harness.model.load import Load
from systems.parameter_server import ParameterServer
from workloads.steps import Steps

drill = Drill(
    system=ParameterServer(workers=3, mode="asynchronous", step_ms=150),
    workload=Steps(),
    load=Load(rate=20, clients=60, seconds=9, timeout_ms=4000),
    faults=[Pause("master").when(received="/push", nth=3, from_s=start, for_s=0.7) for start in (1.0, 2.2, 3.4, 4.6, 5.8)],
    checks=CHECKS,
    slos=["availability >= 99%", "max < 2.5s"],
    nightly=True,
)
