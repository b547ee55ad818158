"""One of three replicas is cut off, so its connections hang: the balancer retries those requests elsewhere.

The balancer asks replicas in turn, so that a third of the requests goes to this one: choosing the less busy of two would send
it hardly any. It has no breakers, which would exclude the replica as well: this drill tests ejection and health checks.
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
