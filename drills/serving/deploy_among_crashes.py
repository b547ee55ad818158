"""Replicas crash, and bits flip in their weights, before, during and after a deploy: each repairs the version that it has.

The deploy is not disturbed: whichever replica crashes is back before its turn comes, or has had it.
"""

from __future__ import annotations

from faults.deploy import Deploy
from faults.flip_bits import FlipBits
from faults.kill import Kill
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
    load=Load(rate=250, clients=100, seconds=11),
    faults=[
        FlipBits("r3", file="weights.bin", bits=200).between(0.7, 1),
        Deploy("all", version="v2").between(1, 6.5),
        Kill("r3").between(1.2, 1.8),
        FlipBits("r1", file="weights.bin", bits=200).between(3.2, 4.2),
        Kill("r1").between(7, 7.6),
        FlipBits("r2", file="weights.bin", bits=200).between(7.8, 8.2),
    ],
    checks=[corruption_contained, version_kept, replicas_return],
    slos=["p50 < 100ms", "availability >= 99%"],
    nightly=True,
)
