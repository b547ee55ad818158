"""Bits flip in one replica's weights, and no health check looks at the model: clients get wrong predictions until the end."""

from __future__ import annotations

from faults.flip_bits import FlipBits
from harness.checkers.predictions_correct import predictions_correct
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=3, bug="shallow-check"),
    workload=Predictions(),
    load=Load(rate=200, clients=100, seconds=4),
    faults=[FlipBits("one", file="weights.bin", bits=200).between(1, 2)],
    checks=[predictions_correct],
    caught_by=predictions_correct,
    nightly=True,
)
