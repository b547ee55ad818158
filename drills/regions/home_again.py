"""The edge of a region is away for so long that its users try it ever more rarely: when it is back, they are soon back, too.

Few users make many calls each, so that the longest time for which they stay away is short.
"""

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
    load=Load(rate=240, clients=3, seconds=8.4),
    faults=[Kill("eu").between(1, 5.2)],
    checks=[predictions_correct, replicas_return],
    slos=["availability >= 98%"],
    nightly=True,
)
