"""One of three replicas is always slow: a hedge to another replica keeps the tail short; one to the same would not."""

from __future__ import annotations

from faults.latency import Latency
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving, Settings
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=3, settings=Settings(strategy="round-robin", hedge_ms=30, retry_ratio=0.5, breaker=None)),
    workload=Predictions(),
    load=Load(rate=200, clients=100, seconds=7),
    faults=[Latency("one", delay_ms=150).between(1, 5)],
    checks=[predictions_correct, replicas_return],
    slos=["p99 < 100ms", "availability >= 99.9%"],
    nightly=True,
)
