"""Two of four replicas are killed at the same moment: the other two carry on, and no prediction is lost."""

from __future__ import annotations

from faults.kill import Kill
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=4),
    workload=Predictions(),
    load=Load(rate=300, clients=150, seconds=6),
    faults=[Kill("r1").between(1.5, 3), Kill("r2").between(1.5, 3)],
    checks=[predictions_correct, replicas_return],
    slos=["p99 < 400ms", "availability >= 99.9%", "recovery < 1s"],
    nightly=True,
)
