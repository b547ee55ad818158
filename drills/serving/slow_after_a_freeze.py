"""All replicas stand still for long, and a while later answer later than before: what is let in has grown again by then."""

from __future__ import annotations

from faults.latency import Latency
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
    load=Load(rate=200, clients=200, seconds=11),
    faults=[Pause("all").between(1, 3), Latency("all", delay_ms=75).between(4.5, 9.5)],
    checks=[predictions_correct, replicas_return],
    slos=["p50 < 150ms", "availability >= 70%"],
    nightly=True,
)
