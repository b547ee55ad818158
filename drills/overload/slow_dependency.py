"""Every replica answers more and more slowly: more requests are under way at once, and none may be lost."""

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
    load=Load(rate=200, clients=100, seconds=7),
    faults=[
        Latency("all", delay_ms=20).between(1, 2),
        Latency("all", delay_ms=60).between(2, 3),
        Latency("all", delay_ms=80).between(3, 4.5),
    ],
    checks=[predictions_correct, replicas_return],
    slos=["p50 < 150ms", "p99 < 1s", "availability >= 99%", "recovery < 2s"],
    nightly=True,
)
