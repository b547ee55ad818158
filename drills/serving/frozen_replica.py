"""One of three replicas freezes for a second and a half: its connections stay open, and nothing comes back."""

from __future__ import annotations

from faults.pause import Pause
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=3),
    workload=Predictions(),
    load=Load(rate=300, clients=150, seconds=6),
    faults=[Pause("one").between(1.5, 3)],
    checks=[predictions_correct, replicas_return],
    slos=["p95 < 240ms", "p99 < 500ms", "availability >= 99.9%", "recovery < 1s"],
    nightly=True,
)
