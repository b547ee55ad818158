"""A worker of a parameter server gets a tenth of a CPU: others compute the shards that it would be late with."""

from __future__ import annotations

from drills.training._checks import SERVED
from faults.slow_cpu import SlowCpu
from harness.model.drill import Drill
from harness.model.load import Load
from systems.parameter_server import ParameterServer
from workloads.steps import Steps

drill = Drill(
    system=ParameterServer(workers=3),
    workload=Steps(),
    load=Load(rate=20, clients=50, seconds=7.5, timeout_ms=2500),
    faults=[SlowCpu("one", share=0.1).between(1.5, 5.5)],
    checks=SERVED,
    slos=["availability >= 99%", "max < 1.5s"],
    nightly=True,
)
