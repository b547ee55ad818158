"""Three regions serve their own users, without faults."""

from __future__ import annotations

from harness.checkers.predictions_correct import predictions_correct
from harness.model.drill import Drill
from harness.model.load import Load
from systems.regions import Regions
from workloads.predictions import Predictions

drill = Drill(
    system=Regions(),
    workload=Predictions(),
    load=Load(rate=200, clients=60, seconds=4),
    checks=[predictions_correct],
    slos=["p99 < 200ms", "availability >= 99.9%"],
    nightly=True,
)
