"""Two replicas answer too late, and the third one takes long: a hedge has only what is left of the deadline, and no new one."""

from __future__ import annotations

from faults.latency import Latency
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving, Settings
from workloads.predictions import Predictions

SETTINGS = Settings(strategy="round-robin", hedge_ms=90, retry_ratio=1.0, ejection_ms=0, slow_start_ms=0, breaker=None)

drill = Drill(
    system=Serving(replicas=3, deadline_ms=150, settings=SETTINGS),
    workload=Predictions(),
    load=Load(rate=150, clients=100, seconds=6),
    faults=[Latency("r1 r2", delay_ms=180).between(1, 4.5), Latency("r3", delay_ms=110).between(1, 4.5)],
    checks=[predictions_correct, replicas_return],
    slos=["p95 < 185ms", "availability >= 50%"],
    nightly=True,
)
