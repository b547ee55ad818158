"""Two of a master's three workers are frozen in turn, each before the other is back: no step is complete without a majority."""

from __future__ import annotations

from drills.training._checks import SERVED
from faults.pause import Pause
from harness.checkers.majority_took_part import majority_took_part
from harness.model.drill import Drill
from harness.model.load import Load
from systems.parameter_server import ParameterServer
from workloads.steps import Steps

drill = Drill(
    system=ParameterServer(workers=3),
    workload=Steps(),
    load=Load(rate=20, clients=50, seconds=8.5, timeout_ms=2500),
    faults=[
        Pause(worker).when(
            heard="/pull", from_s=start_s, for_s=1.5
        )  # with a step's parameters, and its gradients still to push
        for worker, start_s in (("worker2", 1.0), ("worker3", 2.1), ("worker2", 3.2), ("worker3", 4.3))
    ],
    checks=(*SERVED, majority_took_part),
    slos=["availability >= 99%", "max < 2s"],
    nightly=True,
)
