"""A worker of a parameter server is frozen for four seconds: others compute its shards, and its late gradients are refused."""

from __future__ import annotations

from drills.training._checks import SERVED
from faults.pause import Pause
from harness.model.drill import Drill
from harness.model.load import Load
from systems.parameter_server import ParameterServer
from workloads.steps import Steps

drill = Drill(
    system=ParameterServer(workers=3),
    workload=Steps(),
    load=Load(rate=20, clients=50, seconds=9, timeout_ms=2500),
    faults=[Pause("worker2").when(heard="/pull", nth=5, from_s=1.5, for_s=4)],
    checks=SERVED,
    slos=["availability >= 99%", "max < 1.5s"],
    nightly=True,
)
