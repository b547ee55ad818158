"""A region is lost at peak load: the others help within their spare capacity, and their own users notice nothing."""

from __future__ import annotations

from faults.kill import Kill
from harness.checkers.locals_unharmed import locals_unharmed
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.regions import Regions
from workloads.predictions import Predictions

drill = Drill(
    system=Regions(service_ms=10, guests=2),
    workload=Predictions(),
    load=Load(rate=400, clients=200, seconds=7),
    faults=[Kill("eu-r1 eu-r2").between(1.5, 4)],
    checks=[predictions_correct, locals_unharmed, replicas_return],
    slos=["p99 < 900ms", "availability >= 75%"],
    nightly=True,
)
