"""Replicas are asked in turn and one is ten times slower for a while: its breaker lets only a few requests through to it.

The breaker opens only for a short time, so it probes often: the probes must be bounded.
"""

from __future__ import annotations

from faults.latency import Latency
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.parts.breaker import Settings as BreakerSettings
from systems.serving import Serving, Settings
from workloads.predictions import Predictions

BREAKER = BreakerSettings(slow_rate=0.5, slow_s=0.05, window_s=0.5, least_calls=20, open_s=0.3, probes=4)

drill = Drill(
    system=Serving(replicas=2, settings=Settings(strategy="round-robin", breaker=BREAKER)),
    workload=Predictions(),
    load=Load(rate=300, clients=150, seconds=10.5),
    faults=[Latency("one", delay_ms=180).between(1, 8)],
    checks=[predictions_correct, replicas_return],
    slos=["p90 < 120ms", "p99 < 600ms", "availability >= 99.5%"],
    nightly=True,
)
