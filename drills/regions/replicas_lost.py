"""A region loses all its replicas: the nearest other one answers its users, and their own again afterwards."""

from __future__ import annotations

from faults.kill import Kill
from faults.latency import Latency
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.regions import Regions
from workloads.predictions import Predictions

drill = Drill(
    system=Regions(),
    workload=Predictions(),
    load=Load(rate=200, clients=60, seconds=6.5),
    faults=[
        Latency("eu>us", delay_ms=15).between(0.5, 4.5),
        Latency("eu>asia", delay_ms=150).between(0.5, 4.5),
        Kill("eu-r1 eu-r2").between(1.5, 3.5),
    ],
    checks=[predictions_correct, replicas_return],
    slos=["p99 < 200ms", "availability >= 99%"],
    nightly=True,
)
