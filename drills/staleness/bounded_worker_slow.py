"""A worker gets a twenty-fifth of a CPU under bounded staleness: the others get as far ahead as allowed, and no further."""

from __future__ import annotations

from drills.staleness._checks import BOUNDED_CHECKS
from faults.slow_cpu import SlowCpu
from harness.model.drill import Drill
from harness.model.load import Load
from systems.parameter_server import ParameterServer
from workloads.steps import Steps

drill = Drill(
    system=ParameterServer(workers=3, mode="bounded", staleness=2, step_ms=150),
    workload=Steps(),
    load=Load(rate=20, clients=60, seconds=8, timeout_ms=4000),
    faults=[SlowCpu("one", share=0.04).between(2, 5)],
    checks=BOUNDED_CHECKS,
    slos=["availability >= 99%", "max < 2.5s"],
    nightly=True,
)
