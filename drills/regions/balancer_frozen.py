"""A region's balancer freezes: after a moment its users go elsewhere at once, and come home when it thaws."""

from __future__ import annotations

from faults.pause import Pause
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.regions import Regions
from workloads.predictions import Predictions

drill = Drill(
    system=Regions(),
    workload=Predictions(),
    load=Load(rate=200, clients=100, seconds=7.5),
    faults=[Pause("eu-balancer").between(1.5, 3.5)],
    checks=[predictions_correct, replicas_return],
    slos=["p95 < 250ms", "availability >= 99%"],
    nightly=True,
)
