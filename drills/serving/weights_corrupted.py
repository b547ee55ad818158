"""Bits flip silently in one replica's weights under load: its deep check finds this, and it loads a verified copy.

They flip three times, because a check may come before any client has asked that replica for a prediction.
"""

from __future__ import annotations

from faults.flip_bits import FlipBits
from harness.checkers.corruption_contained import corruption_contained
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=3),
    workload=Predictions(),
    load=Load(rate=400, clients=100, seconds=6.5),
    faults=[FlipBits("one", file="weights.bin", bits=200).flapping(1, 4.4, on_s=1, off_s=0.2)],
    checks=[corruption_contained, replicas_return],
    slos=["p99 < 400ms", "availability >= 99.9%"],
)
