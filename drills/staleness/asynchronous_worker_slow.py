"""A worker gets a twenty-fifth of a CPU, and each gradient is applied as it comes: only that worker is slow."""

from __future__ import annotations

from drills.staleness._checks import CHECKS
from faults.slow_cpu import SlowCpu
from harness.model.drill import Drill
from harness.model.load import Load
from systems.parameter_server import ParameterServer
from workloads.steps import Steps

drill = Drill(
    system=ParameterServer(workers=3, mode="asynchronous", step_ms=150),
    workload=Steps(),
    load=Load(rate=20, clients=60, seconds=9, timeout_ms=4000),
    faults=[SlowCpu("one", share=0.04).between(3.5, 7)],
    checks=CHECKS,
    slos=["availability >= 99%", "goodput >= 60%"],
    nightly=True,
)
