"""Two of three replicas answer late, so their breakers open; the third could not carry the load alone, and is not left to."""

from __future__ import annotations

from faults.latency import Latency
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving.limited import LimitedServing
from workloads.predictions import Predictions

drill = Drill(
    system=LimitedServing(replicas=3, service_ms=10),
    workload=Predictions(),
    load=Load(rate=150, clients=100, seconds=6),
    faults=[Latency("r1 r2", delay_ms=150).between(1, 4)],
    checks=[predictions_correct, replicas_return],
    slos=["p99 < 500ms", "availability >= 97%"],
    nightly=True,
)
