"""One of three replicas is killed and comes back; no prediction is lost."""

from __future__ import annotations

from faults.kill import Kill
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=3),
    workload=Predictions(),
    load=Load(rate=300, clients=100, seconds=5.5),
    faults=[Kill("one").between(1.5, 2.7)],
    checks=[predictions_correct, replicas_return],
    slos=["p99 < 400ms", "availability >= 99.9%", "recovery < 1s"],
    nightly=True,
)
