"""One replica after another is terminated and restarted, as in a deployment: no request may be lost."""

from __future__ import annotations

from faults.restart import Restart
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=3),
    workload=Predictions(),
    load=Load(rate=200, clients=100, seconds=8),
    faults=[
        Restart("r1", grace_s=2).between(1, 1.5),
        Restart("r2", grace_s=2).between(2, 2.5),
        Restart("r3", grace_s=2).between(3, 3.5),
    ],
    checks=[predictions_correct, replicas_return],
    slos=["p50 < 100ms", "p99 < 1s", "availability >= 99%"],
    nightly=True,
)
