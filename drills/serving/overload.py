"""Clients send twice as much as the replicas can answer: the excess is refused at once, and goodput does not fall."""

from __future__ import annotations

from harness.checkers.predictions_correct import predictions_correct
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving.limited import LimitedServing
from workloads.predictions import Predictions

drill = Drill(
    system=LimitedServing(replicas=2, service_ms=10),
    workload=Predictions(),
    load=Load(rate=400, clients=400, seconds=9),
    checks=[predictions_correct],
    slos=["p99 < 900ms", "availability >= 20%"],
)
