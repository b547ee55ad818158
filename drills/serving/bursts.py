"""The balancer freezes again and again, and forwards what came meanwhile in groups, half of which a replica fails."""

from __future__ import annotations

from faults.pause import Pause
from harness.checkers.predictions_correct import predictions_correct
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Settings
from systems.serving.flaky import FlakyServing
from workloads.predictions import Predictions

drill = Drill(
    system=FlakyServing(
        replicas=3,
        settings=Settings(retry_ratio=0.5, ejection_ms=0, longest_ejection_ms=0, slow_start_ms=0, breaker=None),
    ),
    workload=Predictions(),
    load=Load(rate=300, clients=200, seconds=6),
    faults=[Pause("balancer").flapping(1, 5, on_s=0.12, off_s=0.3)],
    checks=[predictions_correct],
    slos=["availability >= 95%"],
    nightly=True,
)
