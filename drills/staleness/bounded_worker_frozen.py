"""A worker is frozen for four seconds under bounded staleness: the others wait a second for it, then go on without it."""

from __future__ import annotations

from drills.staleness._checks import BOUNDED_CHECKS
from faults.pause import Pause
from harness.model.drill import Drill
from harness.model.load import Load
from systems.parameter_server import ParameterServer
from workloads.steps import Steps

drill = Drill(
    system=ParameterServer(workers=3, mode="bounded", staleness=2, step_ms=150),
    workload=Steps(),
    load=Load(rate=20, clients=80, seconds=10, timeout_ms=5000),
    faults=[Pause("worker2").when(heard="/pull", nth=3, from_s=1.5, for_s=4)],
    checks=BOUNDED_CHECKS,
    slos=["availability >= 99%", "max < 2.5s"],
    nightly=True,
)
