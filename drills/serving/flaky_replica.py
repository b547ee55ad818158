"""One of two replicas fails every other request, never two in a row: its breaker spares the budget for retries."""

from __future__ import annotations

from harness.checkers.predictions_correct import predictions_correct
from harness.drill import Drill, Load
from systems.flaky import FlakyServing
from systems.serving import Settings
from workloads.predictions import Predictions

drill = Drill(
    system=FlakyServing(replicas=2, settings=Settings(retry_ratio=0.05)),
    workload=Predictions(),
    load=Load(rate=300, clients=100, seconds=5),
    checks=[predictions_correct],
    slos=["p99 < 400ms", "availability >= 97%"],
    nightly=True,
)
