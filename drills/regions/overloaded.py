"""All regions get more requests than they can answer: each works at its own limit, and does not send its users around."""

from __future__ import annotations

from harness.checkers.predictions_correct import predictions_correct
from harness.model.drill import Drill
from harness.model.load import Load
from systems.regions import Regions
from workloads.predictions import Predictions

drill = Drill(
    system=Regions(service_ms=10, replicas=1, guests=2),
    workload=Predictions(),
    load=Load(rate=450, clients=300, seconds=6),
    checks=[predictions_correct],
    slos=["p99 < 900ms", "availability >= 50%"],
    nightly=True,
)
