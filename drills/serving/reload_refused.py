"""A replica whose disk is full refuses a new model version, and another one a wrong version: both go on with what they have.

Later all load the new version.
"""

from __future__ import annotations

from faults.disk_full import DiskFull
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
    load=Load(rate=300, clients=100, seconds=7),
    faults=[
        DiskFull("r1").between(1, 3),
        Reload("r1", version="v2", refused=True).between(1.5, 2.5),
        Reload("r2", version="bad-v2", refused=True).between(1.5, 2.5),
        Reload("all", version="v2").between(3.5, 4.5),
    ],
    checks=[one_version_each, version_kept, replicas_return],
    slos=["p50 < 100ms", "availability >= 99.9%"],
    nightly=True,
)
