"""The balancers of two regions freeze: what one region passes on hangs in the other, whose count of guests goes down again."""

from __future__ import annotations

from faults.pause import Pause
from harness.checkers.all_settled import all_settled
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.regions import Regions
from workloads.predictions import Predictions

drill = Drill(
    system=Regions(guests=64),
    workload=Predictions(),
    load=Load(rate=200, clients=200, seconds=7.5),
    faults=[Pause("eu-balancer").between(1.5, 3.5), Pause("us-balancer").between(1.7, 3.3)],
    checks=[predictions_correct, replicas_return, all_settled],
    slos=["availability >= 80%"],
    nightly=True,
)
