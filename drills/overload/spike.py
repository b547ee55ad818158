"""The load rises a hundredfold for a second: the queue of the spike drains, and goodput returns."""

from __future__ import annotations

from harness.checkers.predictions_correct import predictions_correct
from harness.model.drill import Drill
from harness.model.load import Load
from harness.model.shapes import Spikes
from systems.serving import Serving
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=3),
    workload=Predictions(),
    load=Load(rate=100, clients=3, seconds=7.9, shape=Spikes(peak=100, every_s=4, for_s=1)),
    checks=[predictions_correct],
    slos=["availability >= 95%", "p99 < 5s"],
    nightly=True,
)
