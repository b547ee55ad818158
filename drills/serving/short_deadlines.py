"""A replica freezes again and again, and clients allow less time than it is given: it must be left out all the same."""

from __future__ import annotations

from faults.pause import Pause
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving, Settings
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=3, deadline_ms=150, settings=Settings(strategy="round-robin")),
    workload=Predictions(),
    load=Load(rate=200, clients=100, seconds=9),
    faults=[Pause("r1").flapping(1, 6, on_s=1, off_s=0.7)],
    checks=[predictions_correct, replicas_return],
    slos=["availability >= 96%"],
    nightly=True,
)
