"""A region has lost its replicas, and the nearest other one becomes the farthest meanwhile: its users go to the nearer one."""

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
    load=Load(rate=200, clients=60, seconds=8),
    faults=[
        Latency("eu>asia", delay_ms=60).between(0.5, 5.5),
        Latency("eu>us", delay_ms=200).between(2.5, 5.4),
        Kill("eu-r1 eu-r2").between(1.5, 5),
    ],
    checks=[predictions_correct, replicas_return],
    slos=["p95 < 150ms", "availability >= 99%"],
    nightly=True,
)
