"""A freeze of a second fills the replicas' queues: the balancer's retries must not keep them full afterwards."""

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
    system=LimitedServing(replicas=3, service_ms=10, settings=Settings(overload_ms=None)),
    workload=Predictions(),
    load=Load(rate=120, clients=400, seconds=9),
    faults=[Pause("all").between(1, 2)],
    checks=[predictions_correct, replicas_return],
    slos=["availability >= 50%", "recovery < 5s"],
    nightly=True,
)
