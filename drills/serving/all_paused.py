"""All replicas are paused for a second, then go on as if nothing had happened; so must the service."""

from __future__ import annotations

from faults.pause import Pause
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=3),
    workload=Predictions(),
    load=Load(rate=200, clients=200, seconds=6),
    faults=[Pause("all").between(1, 2)],
    checks=[predictions_correct, replicas_return],
    slos=["p50 < 100ms", "availability >= 55%", "recovery < 3s"],
)
