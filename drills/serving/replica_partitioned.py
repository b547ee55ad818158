"""One of three replicas is cut off: its connections hang. What was sent there is asked elsewhere.

In turn, so that a third of the requests meets it: two choices would hardly send it any. Without breakers, which would leave it
out as well: here ejection and health checks are put to the test.
"""

from __future__ import annotations

from faults.partition import Isolate
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving, Settings
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=3, settings=Settings(strategy="round-robin", breaker=None)),
    workload=Predictions(),
    load=Load(rate=300, clients=150, seconds=5.5),
    faults=[Isolate("one").between(1.5, 2.8)],
    checks=[predictions_correct, replicas_return],
    slos=["p95 < 240ms", "p99 < 500ms", "availability >= 99.5%", "recovery < 1s"],
)
