"""Clients give an answer little time, and many get none: that is no fault of the replicas, which all stay in service."""

from __future__ import annotations

from harness.checkers.all_settled import all_settled
from harness.checkers.predictions_correct import predictions_correct
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving.limited import LimitedServing
from workloads.predictions import Predictions

drill = Drill(
    system=LimitedServing(replicas=3, service_ms=20, deadline_ms=35),
    workload=Predictions(),
    load=Load(rate=130, clients=60, seconds=7, arrivals="poisson"),
    checks=[predictions_correct, all_settled],
    slos=["availability >= 65%"],
    nightly=True,
)
