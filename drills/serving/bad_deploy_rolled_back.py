"""The new version recognizes digits wrongly: verification finds its first replica before users do, and rolls it back."""

from __future__ import annotations

from faults.deploy import Deploy
from harness.checkers.one_version_each import one_version_each
from harness.checkers.replicas_return import replicas_return
from harness.checkers.stops_in_time import stops_within
from harness.checkers.version_kept import version_kept
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving.deployed import DeployedServing
from workloads.versioned_predictions import VersionedPredictions

drill = Drill(
    system=DeployedServing(replicas=3),
    workload=VersionedPredictions(),
    load=Load(rate=200, clients=100, seconds=8),
    faults=[Deploy("all", version="bad-v2").between(1, 5.5)],
    checks=[one_version_each, version_kept, replicas_return, stops_within(4)],
    slos=["p50 < 100ms", "availability >= 99.99%"],
    nightly=True,
)
