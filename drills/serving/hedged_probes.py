"""A replica is slow for a while and its breaker probes it, but each probe is hedged and given up: it waits for none of them."""

from __future__ import annotations

from faults.latency import Latency
from harness.checkers.all_settled import all_settled
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.parts.breaker import Settings as BreakerSettings
from systems.serving import Serving, Settings
from workloads.predictions import Predictions

BREAKER = BreakerSettings(slow_rate=0.5, slow_s=0.05, window_s=0.5, least_calls=10, open_s=0.3, probes=4)

drill = Drill(
    system=Serving(replicas=2, settings=Settings(strategy="round-robin", hedge_ms=80, retry_ratio=1.0, breaker=BREAKER)),
    workload=Predictions(),
    load=Load(rate=150, clients=100, seconds=7),
    faults=[Latency("r1", delay_ms=70).between(0.8, 2), Latency("r1", delay_ms=180).between(2, 5)],
    checks=[predictions_correct, replicas_return, all_settled],
    slos=["p50 < 100ms", "availability >= 99.5%"],
    nightly=True,
)
