"""Each request goes to two replicas at once, so that answers tie: the balancer leaks no connection when it cancels one.

All links have the same delay, so both answers arrive at the same moment.
"""

from __future__ import annotations

from faults.latency import Latency
from harness.checkers.nothing_leaked import nothing_leaked
from harness.checkers.predictions_correct import predictions_correct
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving, Settings
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=3, settings=Settings(hedge_ms=0, retry_ratio=1.0)),
    workload=Predictions(),
    load=Load(rate=600, clients=100, seconds=5),
    faults=[Latency("all", delay_ms=10).between(0.5, 4.8)],
    checks=[predictions_correct, nothing_leaked],
    slos=["availability >= 99.9%"],
    nightly=True,
)
