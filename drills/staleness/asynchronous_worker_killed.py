"""Workers are killed, one after another, just as they get a batch: another worker gets it."""

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
        Kill("worker1").when(heard="/pull", nth=3, from_s=1, for_s=1.4),
        Kill("worker2").when(heard="/pull", nth=3, from_s=3, for_s=1.4),
        Kill("worker3").when(heard="/pull", nth=3, from_s=5, for_s=1.4),
    ],
    checks=CHECKS,
    slos=["availability >= 99%", "max < 2s"],
    nightly=True,
)
