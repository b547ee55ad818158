"""Requests pile up while the balancer stands still, and go on as one: clients that give up take no other's with them."""

from __future__ import annotations

from faults.pause import Pause
from harness.checkers.all_settled import all_settled
from harness.checkers.predictions_correct import predictions_correct
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving.limited import LimitedServing
from workloads.predictions import Predictions

drill = Drill(
    system=LimitedServing(replicas=3, service_ms=4),
    workload=Predictions(),
    load=Load(rate=150, clients=100, seconds=7, timeout_ms=400),
    faults=[Pause("balancer").flapping(1, 5.5, on_s=0.3, off_s=0.9)],
    checks=[predictions_correct, all_settled],
    slos=["availability >= 86%"],
    nightly=True,
)
