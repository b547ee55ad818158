"""The edge of a region dies: its users find another region by themselves, and return to their own when it is back."""

from __future__ import annotations

from faults.kill import Kill
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.regions import Regions
from workloads.predictions import Predictions

drill = Drill(
    system=Regions(),
    workload=Predictions(),
    load=Load(rate=200, clients=60, seconds=7),
    faults=[Kill("eu").between(1.5, 3)],
    checks=[predictions_correct, replicas_return],
    slos=["p99 < 500ms", "availability >= 99%"],
    nightly=True,
)
