"""A replica is cut off and loses its connections; new ones take long to open, and requests must not."""

from __future__ import annotations

from faults.partition import Isolate
from faults.slow_connect import SlowConnect
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=3),
    workload=Predictions(),
    load=Load(rate=200, clients=100, seconds=7),
    faults=[Isolate("r1").between(1, 2), SlowConnect("r1", delay_ms=150).between(1.5, 4)],
    checks=[predictions_correct, replicas_return],
    slos=["p50 < 100ms", "availability >= 99%", "recovery < 3s"],
    nightly=True,
)
