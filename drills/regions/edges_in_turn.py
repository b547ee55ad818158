"""The edge of a region dies, and when it is back those of both others: users who went elsewhere find their own region again."""

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
    load=Load(rate=200, clients=60, seconds=7.5),
    faults=[Kill("eu").between(1.2, 2), Kill("us asia").between(2.6, 4.2)],
    checks=[predictions_correct, replicas_return],
    slos=["availability >= 98%"],
    nightly=True,
)
