"""Requests to one of three replicas take 80 ms longer, many times the usual: the less busy ones get most of them."""

from __future__ import annotations

from faults.latency import Latency
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=3),
    workload=Predictions(),
    load=Load(rate=300, clients=100, seconds=5.5),
    faults=[Latency("one", delay_ms=80, jitter_ms=20).between(1.5, 3.3)],
    checks=[predictions_correct, replicas_return],
    slos=["p95 < 45ms", "p99 < 400ms", "availability >= 99.9%"],
)
