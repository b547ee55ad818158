"""A region loses all its replicas, and so does the one that answers for it: the third does, however far away it is."""

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
    load=Load(rate=200, clients=100, seconds=7),
    faults=[
        Latency("eu>us", delay_ms=10).between(0.5, 5),
        Latency("eu>asia", delay_ms=40).between(0.5, 5),
        Kill("eu-r1 eu-r2").between(1.2, 4.7),
        Kill("us-r1 us-r2").between(2.4, 4.4),
    ],
    checks=[predictions_correct, replicas_return, all_settled],
    slos=["p99 < 300ms", "availability >= 97%"],
    nightly=True,
)
