"""Three replicas make predictions, without faults."""

from __future__ import annotations

from harness.checkers.predictions_correct import predictions_correct
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=3),
    workload=Predictions(),
    load=Load(rate=300, clients=100, seconds=4),
    checks=[predictions_correct],
    slos=["p50 < 100ms", "p99 < 400ms", "availability >= 99.9%"],
)
