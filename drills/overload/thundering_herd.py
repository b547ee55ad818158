"""Hundreds of clients are cut off for two seconds, and all come back at the same moment."""

from __future__ import annotations

from faults.partition import Isolate
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=3),
    workload=Predictions(),
    load=Load(rate=200, clients=300, seconds=7),
    faults=[Isolate("balancer").between(1.5, 3.5)],
    checks=[predictions_correct, replicas_return],
    slos=["availability >= 50%", "recovery < 4s"],
    nightly=True,
)
