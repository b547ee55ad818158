"""One of two replicas fails every other request, never two in a row: its breaker saves the retry budget.

On a busy machine several of its failures may come together, which ejects it; ejections last no time here, so that only a
breaker can exclude it.
"""

from __future__ import annotations

from harness.checkers.predictions_correct import predictions_correct
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Settings
from systems.serving.flaky import FlakyServing
from workloads.predictions import Predictions

drill = Drill(
    system=FlakyServing(
        replicas=2, settings=Settings(retry_ratio=0.05, retries_per_s=2, ejection_ms=0, longest_ejection_ms=0, slow_start_ms=0)
    ),
    workload=Predictions(),
    load=Load(rate=150, clients=100, seconds=6),
    checks=[predictions_correct],
    slos=["p99 < 400ms", "availability >= 97%"],
    nightly=True,
)
