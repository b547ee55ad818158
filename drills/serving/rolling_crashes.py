"""Every replica is killed once, one after another: each must be back in service before the next one dies."""

from __future__ import annotations

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
    load=Load(rate=300, clients=100, seconds=7.5),
    faults=[Kill("r1").between(1, 1.8), Kill("r2").between(2.8, 3.6), Kill("r3").between(4.6, 5.4)],
    checks=[predictions_correct, replicas_return],
    slos=["p99 < 400ms", "availability >= 99.5%", "recovery < 1s"],
)
