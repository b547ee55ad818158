"""Half of the clients give an answer little time, and half much: the patient ones get theirs, whoever is batched with them.

The balancer stands still again and again, so that requests of both kinds go on together.
"""

from __future__ import annotations

from faults.pause import Pause
from harness.checkers.predictions_correct import predictions_correct
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving.limited import LimitedServing
from workloads.predictions import Predictions

drill = Drill(
    system=LimitedServing(replicas=3, service_ms=20, deadline_ms=(35, 2000)),
    workload=Predictions(),
    load=Load(rate=130, clients=60, seconds=7, arrivals="poisson"),
    faults=[Pause("balancer").flapping(1, 5.5, on_s=0.08, off_s=0.4)],
    checks=[predictions_correct],
    slos=["availability >= 60%"],
    nightly=True,
)
