"""A freeze fills the replicas' queues; deadlines travel with the requests, so no replica works on expired ones."""

from __future__ import annotations

from faults.pause import Pause
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Settings
from systems.serving.limited import LimitedServing
from workloads.predictions import Predictions

drill = Drill(
    system=LimitedServing(replicas=4, service_ms=30, deadline_ms=3000, settings=Settings(overload_ms=None)),
    workload=Predictions(),
    load=Load(rate=75, clients=300, seconds=9),
    faults=[Pause("all").between(1, 2.5)],
    checks=[predictions_correct, replicas_return],
    slos=["availability >= 55%", "recovery < 7s"],
    nightly=True,
)
