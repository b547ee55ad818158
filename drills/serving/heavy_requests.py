"""One request in fifty fails the whole batch that it is in, at any replica: asked again alone, nearly all get their answers.

The balancer stands still again and again, so that many requests go on as one batch. Replicas that fail stay in service.
"""

from __future__ import annotations

from faults.pause import Pause
from harness.checkers.predictions_correct import predictions_correct
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Settings
from systems.serving.fragile import FragileServing
from workloads.predictions import Predictions

drill = Drill(
    system=FragileServing(
        replicas=6,
        settings=Settings(
            retry_ratio=1.0, retries_per_s=100, ejection_ms=0, longest_ejection_ms=0, slow_start_ms=0, breaker=None
        ),
    ),
    workload=Predictions(),
    load=Load(rate=300, clients=200, seconds=6),
    faults=[Pause("balancer").flapping(1, 5, on_s=0.06, off_s=0.06)],
    checks=[predictions_correct],
    slos=["availability >= 95%"],
    nightly=True,
)
