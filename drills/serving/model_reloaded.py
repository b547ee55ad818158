"""Replicas with caches load a new model version while they answer: none then serves a cached answer of the old version."""

from __future__ import annotations

from faults.reload import Reload
from harness.checkers.one_version_each import one_version_each
from harness.checkers.replicas_return import replicas_return
from harness.checkers.version_kept import version_kept
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving.deployed import DeployedServing
from workloads.versioned_predictions import VersionedPredictions

drill = Drill(
    system=DeployedServing(replicas=3, cache=1000),
    workload=VersionedPredictions(),
    load=Load(rate=300, clients=100, seconds=6),
    faults=[Reload("all", version="v2").between(2, 3)],
    checks=[one_version_each, version_kept, replicas_return],
    slos=["p50 < 100ms", "availability >= 99.9%"],
)
