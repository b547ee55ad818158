"""One replica after another is killed, frozen, slowed or cut off, as the seed decides."""

from __future__ import annotations

from faults.kill import Kill
from faults.latency import Latency
from faults.partition import Isolate
from faults.pause import Pause
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.composition import RandomFaults
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=3),
    workload=Predictions(),
    load=Load(rate=250, clients=150, seconds=7),
    faults=[
        RandomFaults(
            faults=(Kill("one"), Pause("one"), Latency("one", delay_ms=80, jitter_ms=20), Isolate("one")),
            windows=3,
            from_s=1,
            to_s=5.2,
            shortest_s=0.5,
            longest_s=1.2,
        )
    ],
    checks=[predictions_correct, replicas_return],
    slos=["p50 < 100ms", "p99 < 500ms", "availability >= 99%"],
    nightly=True,
)
