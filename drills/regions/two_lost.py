"""Two of three regions lose all their replicas: the third answers for them, however far away it is."""

from __future__ import annotations

from faults.kill import Kill
from faults.latency import Latency
from harness.checkers.all_settled import all_settled
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.regions import Regions
from workloads.predictions import Predictions

drill = Drill(
    system=Regions(guests=64),
    workload=Predictions(),
    load=Load(rate=200, clients=100, seconds=6.5),
    faults=[
        Latency("eu>us", delay_ms=10).between(0.5, 4.5),
        Kill("eu-r1 eu-r2 us-r1 us-r2").between(1.5, 3.5),
    ],
    checks=[predictions_correct, replicas_return, all_settled],
    slos=["p99 < 300ms", "availability >= 95%"],
    nightly=True,
)
