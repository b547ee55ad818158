"""A replica freezes again and again, is well for a while, and freezes once more: its past does not prolong its ejection."""

from __future__ import annotations

from faults.pause import Pause
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving, Settings
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(
        replicas=3, settings=Settings(strategy="round-robin", ejection_ms=200, longest_ejection_ms=1000, breaker=None)
    ),
    workload=Predictions(),
    load=Load(rate=200, clients=100, seconds=8),
    faults=[Pause("r1").between(begin_s, begin_s + 0.4) for begin_s in (1.0, 2.0, 3.2, 6.0)],
    checks=[predictions_correct, replicas_return],
    slos=["availability >= 97%"],
    nightly=True,
)
