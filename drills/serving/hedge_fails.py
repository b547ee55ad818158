"""Requests to a slow replica are hedged at one that answers errors: the first try is waited for, and its answer is taken."""

from __future__ import annotations

from faults.answer_errors import AnswerErrors
from faults.latency import Latency
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving, Settings
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=2, settings=Settings(strategy="round-robin", hedge_ms=30, retry_ratio=0.5, breaker=None)),
    workload=Predictions(),
    load=Load(rate=150, clients=100, seconds=7),
    faults=[Latency("r1", delay_ms=60).between(1, 5), AnswerErrors("r2", share=0.3).between(1.5, 4.5)],
    checks=[predictions_correct, replicas_return],
    slos=["p99 < 400ms", "availability >= 99.5%"],
    nightly=True,
)
