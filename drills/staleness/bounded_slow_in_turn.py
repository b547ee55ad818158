"""Each worker in turn is slow for less time than the bound allows: only its own share of the work is lost."""

from __future__ import annotations

from drills.staleness._checks import BOUNDED_CHECKS
from faults.slow_cpu import SlowCpu
from harness.model.drill import Drill
from harness.model.load import Load
from systems.parameter_server import ParameterServer
from workloads.steps import Steps

drill = Drill(
    system=ParameterServer(workers=3, mode="bounded", staleness=8, step_ms=150),
    workload=Steps(),
    load=Load(rate=20, clients=60, seconds=10, timeout_ms=4000),
    faults=[SlowCpu(f"worker{1 + turn % 3}", share=0.04).between(3.5 + turn, 4.2 + turn) for turn in range(5)],
    checks=BOUNDED_CHECKS,
    slos=["availability >= 99%", "goodput >= 60%"],
    nightly=True,
)
