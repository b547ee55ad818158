"""A master and two workers stall in the middle of a step, again and again: gradients sent again meanwhile count once."""

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
    faults=[
        Pause(nodes).when(received="/pull", at="master", nth=4, from_s=start, for_s=stall_s)
        for start in (1.0, 2.2, 3.4, 4.6, 5.8)
        for nodes, stall_s in (("master", 0.75), ("worker2 worker3", 0.95))  # so the step is not over when worker1 asks again
    ],
    checks=SERVED,
    slos=["availability >= 99%", "max < 2.3s"],
    nightly=True,
)
