"""A replica dies without closing its connections: requests that wait on them must not wait for ever."""

from __future__ import annotations

from faults.half_open import HalfOpen
from faults.kill import Kill
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=3),
    workload=Predictions(),
    load=Load(rate=200, clients=100, seconds=7),
    faults=[HalfOpen("r1").between(1, 4.5), Kill("r1").between(1.5, 2.5)],
    checks=[predictions_correct, replicas_return],
    slos=["p50 < 100ms", "availability >= 95%", "recovery < 3s"],
    nightly=True,
)
