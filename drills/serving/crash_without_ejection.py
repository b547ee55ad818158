"""Neither failed requests nor breakers take replicas out of service: health checks have to find the frozen one."""

from __future__ import annotations

from faults.kill import Kill
from faults.pause import Pause
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving, Settings
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(
        replicas=3,
        settings=Settings(strategy="round-robin", ejection_ms=0, longest_ejection_ms=0, max_ejected=0, breaker=None),
    ),
    workload=Predictions(),
    load=Load(rate=300, clients=150, seconds=7),
    faults=[Pause("r1").between(1, 2.5), Kill("r2").when(received="/predict", nth=20, from_s=3.5, for_s=1)],
    checks=[predictions_correct, replicas_return],
    slos=["p99 < 600ms", "availability >= 99%", "recovery < 2s"],
    nightly=True,
)
