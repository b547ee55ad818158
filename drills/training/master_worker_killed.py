"""Workers of a parameter server are killed just as they get shards, and come back: others compute these within a second."""

from __future__ import annotations

from drills.training._checks import SERVED
from faults.kill import Kill
from harness.model.drill import Drill
from harness.model.load import Load
from systems.parameter_server import ParameterServer
from workloads.steps import Steps

drill = Drill(
    system=ParameterServer(workers=3),
    workload=Steps(),
    load=Load(rate=20, clients=50, seconds=7.5, timeout_ms=2500),
    faults=[
        Kill("worker1").when(heard="/pull", nth=5, from_s=1, for_s=0.5),
        Kill("worker2").when(heard="/pull", nth=5, from_s=2.2, for_s=0.5),
        Kill("worker3").when(heard="/pull", nth=5, from_s=3.4, for_s=0.5),
        Kill("worker1").when(heard="/pull", nth=5, from_s=4.6, for_s=0.5),
    ],
    checks=SERVED,
    slos=["availability >= 99%", "max < 1.5s"],
    nightly=True,
)
