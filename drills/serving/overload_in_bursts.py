"""An overload in bursts, as the balancer freezes again and again: of each burst, it lets in as many as there is room for."""

from __future__ import annotations

from faults.pause import Pause
from harness.checkers.predictions_correct import predictions_correct
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving.limited import LimitedServing
from workloads.predictions import Predictions

drill = Drill(
    system=LimitedServing(replicas=2, service_ms=10),
    workload=Predictions(),
    load=Load(rate=300, clients=400, seconds=7),
    faults=[Pause("balancer").flapping(1, 6, on_s=0.06, off_s=0.2)],
    checks=[predictions_correct],
    slos=["p90 < 900ms", "availability >= 10%"],
    nightly=True,
)
