"""The balancer does not reach the first of two replicas that get a new version: the deploy ends there, and is rolled back.

That replica answers rightly when it is asked itself. If the deploy went on, no replica would be in service.
"""

from __future__ import annotations

from faults.deploy import Deploy
from faults.partition import Isolate
from harness.checkers.one_version_each import one_version_each
from harness.checkers.replicas_return import replicas_return
from harness.checkers.version_kept import version_kept
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving.deployed import DeployedServing
from workloads.versioned_predictions import VersionedPredictions

drill = Drill(
    system=DeployedServing(replicas=2),
    workload=VersionedPredictions(),
    load=Load(rate=150, clients=100, seconds=12.5),
    faults=[Isolate("balancer>r1").between(1, 8), Deploy("all", version="v2").between(1.5, 10)],
    checks=[one_version_each, version_kept, replicas_return],
    slos=["p50 < 100ms", "availability >= 99%"],
    nightly=True,
)
