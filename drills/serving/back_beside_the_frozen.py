"""Two replicas come back in turn while five others are frozen: their health checks do not wait for those of the frozen ones.

So each is in service when the other one stops.
"""

from __future__ import annotations

from faults.kill import Kill
from faults.pause import Pause
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=7),
    workload=Predictions(),
    load=Load(rate=150, clients=100, seconds=10),
    faults=[
        Pause("r1").between(1.3, 7),
        Pause("r2").between(1.3, 7),
        Pause("r3").between(1.3, 7),
        Pause("r4").between(1.3, 7),
        Pause("r5").between(1.3, 7),
        Pause("r6").between(1, 3),
        Pause("r7").between(3.6, 5),
        Kill("r6").between(5.6, 6.6),
    ],
    checks=[predictions_correct, replicas_return],
    slos=["p99 < 800ms", "availability >= 98.5%"],
    nightly=True,
)
