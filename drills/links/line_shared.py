"""All connections to one replica share a line with little bandwidth: the others take over what it cannot carry."""

from __future__ import annotations

from faults.shared_bandwidth import SharedBandwidth
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=3),
    workload=Predictions(),
    load=Load(rate=200, clients=100, seconds=7),
    faults=[SharedBandwidth("one", kb_per_s=30).between(1.5, 4)],
    checks=[predictions_correct, replicas_return],
    slos=["p50 < 100ms", "availability >= 95%", "recovery < 3s"],
    nightly=True,
)
