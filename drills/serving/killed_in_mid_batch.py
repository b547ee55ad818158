"""Replicas die with a batch read, or predicted but not answered: the balancer sends each request once more, elsewhere."""

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
    system=Serving(replicas=3),
    workload=Predictions(),
    load=Load(rate=400, clients=200, seconds=7),
    faults=[
        Kill("r1").when(received="/predict", nth=50, from_s=1, for_s=0.5),
        Kill("r2").when(answering="/predict", nth=50, from_s=2.5, for_s=0.5),
        Pause("r3").when(received="/predict", nth=50, from_s=4, for_s=0.6),
    ],
    checks=[predictions_correct, replicas_return],
    slos=["p99 < 500ms", "availability >= 99.9%", "recovery < 1s"],
    nightly=True,
)
