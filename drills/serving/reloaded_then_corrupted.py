"""Replicas load a new model version, and later bits flip in the weights of each: it is the new version that each repairs.

One of them has been killed and started again in between.
"""

from __future__ import annotations

from faults.flip_bits import FlipBits
from faults.kill import Kill
from faults.reload import Reload
from harness.checkers.corruption_contained import corruption_contained
from harness.checkers.replicas_return import replicas_return
from harness.checkers.version_kept import version_kept
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving.deployed import DeployedServing
from workloads.versioned_predictions import VersionedPredictions

drill = Drill(
    system=DeployedServing(replicas=3, cache=1000),
    workload=VersionedPredictions(),
    load=Load(rate=300, clients=100, seconds=7),
    faults=[
        Reload("all", version="v2").between(1, 1.5),
        Kill("r2").between(1.6, 2.2),
        FlipBits("r1", file="weights.bin", bits=200).flapping(2.5, 4.7, on_s=1, off_s=0.2),
        FlipBits("r2", file="weights.bin", bits=200).between(2.9, 3.9),
        FlipBits("r3", file="weights.bin", bits=200).between(3.3, 4.3),
    ],
    checks=[corruption_contained, version_kept, replicas_return],
    slos=["p50 < 100ms", "availability >= 99%"],
    nightly=True,
)
