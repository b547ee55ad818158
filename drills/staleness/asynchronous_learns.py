"""A worker gets a tenth of a CPU: asynchronous training still learns as much as that many samples should teach it."""

from __future__ import annotations

from drills.staleness._checks import CHECKS, learns
from faults.slow_cpu import SlowCpu
from harness.model.drill import Drill
from harness.model.load import Load
from systems.parameter_server import ParameterServer
from workloads.steps import Steps

drill = Drill(
    system=ParameterServer(workers=3, mode="asynchronous", step_ms=20),
    workload=Steps(),
    load=Load(rate=20, clients=60, seconds=8, timeout_ms=4000),
    faults=[SlowCpu("one", share=0.1).between(2, 5)],
    checks=(*CHECKS, learns),
    slos=["availability >= 99%"],
    nightly=True,
)
