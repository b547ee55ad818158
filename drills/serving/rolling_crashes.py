"""Every replica is killed once, one after another: each must be back in service before the next one goes."""

from __future__ import annotations

from faults.kill import Kill
from harness.checkers.predictions_correct import predictions_correct
from harness.drill import Drill, Load
from systems.serving import Serving
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=3),
    workload=Predictions(),
    load=Load(rate=300, clients=100, seconds=8),
    faults=[Kill("r1").between(1, 2), Kill("r2").between(3, 4), Kill("r3").between(5, 6)],
    checks=[predictions_correct],
    slos=["p99 < 250ms", "availability >= 99.5%", "recovery < 1s"],
)
