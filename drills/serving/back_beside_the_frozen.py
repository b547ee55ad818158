"""A replica comes back while three others are frozen: its health check does not wait for them.

So it is in service when the only other live one is killed.
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
    system=Serving(replicas=5),
    workload=Predictions(),
    load=Load(rate=150, clients=100, seconds=9),
    faults=[
        Pause("r1").between(1.3, 6.5),
        Pause("r2").between(1.3, 6.5),
        Pause("r3").between(1.3, 6.5),
        Kill("r4").between(1, 3),
        Kill("r5").between(4.2, 6.4),
    ],
    checks=[predictions_correct, replicas_return],
    slos=["p99 < 800ms", "availability >= 98.5%"],
    nightly=True,
)
