"""Every replica answers late now and then: the balancer asks a second one if the first takes long, and the tail is short."""

from __future__ import annotations

from faults.heavy_tailed_latency import HeavyTailedLatency
from harness.checkers.all_settled import all_settled
from harness.checkers.predictions_correct import predictions_correct
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving, Settings
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=3, settings=Settings(hedge_ms=30)),
    workload=Predictions(),
    load=Load(rate=200, clients=100, seconds=7),
    faults=[HeavyTailedLatency("all", least_ms=5, exponent=1.2, most_ms=240).between(1, 6)],
    checks=[predictions_correct, all_settled],
    slos=["p99 < 80ms", "availability >= 99.9%"],
    nightly=True,
)
