"""A region loses its replicas and its links to the others: its users get errors at once, and no other users notice."""

from __future__ import annotations

from faults.kill import Kill
from faults.partition import Isolate
from harness.checkers.locals_unharmed import locals_unharmed
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.regions import Regions
from workloads.predictions import Predictions

drill = Drill(
    system=Regions(),
    workload=Predictions(),
    load=Load(rate=200, clients=100, seconds=7),
    faults=[
        Kill("eu-r1 eu-r2").between(1.5, 3.5),
        Isolate("eu>us eu>asia").between(1.4, 3.6),
    ],
    checks=[predictions_correct, locals_unharmed, replicas_return],
    slos=["p99 < 950ms", "availability >= 75%"],
    nightly=True,
)
