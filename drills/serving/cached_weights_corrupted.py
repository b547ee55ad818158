"""Bits flip in the weights of a paused replica with a cache: the cache keeps no prediction from before its repair.

The pause lets predictions and a health check queue up, so that they form one batch: the check finds the damage and has it
repaired, but the predictions beside it come from the damaged weights. The balancer asks replicas in turn: if it chose the less
busy of two, little would queue up.
"""

from __future__ import annotations

from faults.flip_bits import FlipBits
from faults.pause import Pause
from harness.checkers.corruption_contained import corruption_contained
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving, Settings
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=3, cache=2000, settings=Settings(strategy="round-robin")),
    workload=Predictions(),
    load=Load(rate=1000, clients=200, seconds=7),
    faults=[
        Pause("r1").flapping(1, 4.2, on_s=0.15, off_s=1.35),
        FlipBits("r1", file="weights.bin", bits=2000).flapping(1.05, 4.3, on_s=0.15, off_s=1.35),
    ],
    checks=[corruption_contained, replicas_return],
    slos=["p99 < 800ms", "availability >= 99%"],
    nightly=True,
)
