"""One replica gets no more memory than it has: it goes on without, or others answer for it."""

from __future__ import annotations

from faults.memory_pressure import MemoryPressure
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.drill import Drill, Load
from systems.serving import Serving
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=3),
    workload=Predictions(),
    load=Load(rate=200, clients=100, seconds=6),
    faults=[MemoryPressure("one").between(1.5, 4)],
    checks=[predictions_correct, replicas_return],
    slos=["p50 < 100ms", "p99 < 1s", "availability >= 99%"],
    nightly=True,
)
