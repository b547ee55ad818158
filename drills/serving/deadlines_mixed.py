"""Half of the clients give an answer little time, and half much: the patient ones get theirs, whoever is batched with them."""

from __future__ import annotations

from harness.checkers.predictions_correct import predictions_correct
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving.limited import LimitedServing
from workloads.predictions import Predictions

drill = Drill(
    system=LimitedServing(replicas=3, service_ms=20, deadline_ms=(35, 2000)),
    workload=Predictions(),
    load=Load(rate=130, clients=60, seconds=7, arrivals="poisson"),
    checks=[predictions_correct],
    slos=["availability >= 80%"],
    nightly=True,
)
