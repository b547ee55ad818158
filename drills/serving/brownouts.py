"""Three times all replicas are too slow for half a second: in between they are as quick as ever, and must be used."""

from __future__ import annotations

from faults.latency import Latency
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving, Settings
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=3, settings=Settings(ejection_ms=600)),
    workload=Predictions(),
    load=Load(rate=200, clients=300, seconds=8),
    faults=[Latency("all", delay_ms=900).between(begin, begin + 0.5) for begin in (1, 2.5, 4)],
    checks=[predictions_correct, replicas_return],
    slos=["availability >= 62%"],
    nightly=True,
)
