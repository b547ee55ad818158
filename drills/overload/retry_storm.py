"""The balancer loses most of its CPU while clients retry again and again: the retry storm must not outlast its cause."""

from __future__ import annotations

from faults.slow_cpu import SlowCpu
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.checkers.retry_storm_seen import retry_storm_seen
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving.retrying import RetriedServing
from workloads.predictions import Predictions

drill = Drill(
    system=RetriedServing(replicas=3, attempts=3, patience_ms=150),
    workload=Predictions(),
    load=Load(rate=500, clients=60, seconds=7),
    faults=[SlowCpu("balancer", share=0.01).between(1.5, 3.5)],
    checks=[predictions_correct, replicas_return, retry_storm_seen],
    slos=["availability >= 50%", "recovery < 4s"],
    nightly=True,
)
