"""A region loses all its replicas while the nearest other one has lost its own: the farther one answers until the nearer can.

Its users are with the nearer one as soon as that is back, and with their own afterwards.
"""

from __future__ import annotations

from faults.kill import Kill
from faults.latency import Latency
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.regions import Regions
from workloads.predictions import Predictions

drill = Drill(
    system=Regions(guests=64),
    workload=Predictions(),
    load=Load(rate=200, clients=60, seconds=8.5),
    faults=[
        Latency("eu>us", delay_ms=15).between(0.5, 6.5),
        Latency("eu>asia", delay_ms=150).between(0.5, 6.5),
        Kill("us-r1 us-r2").between(1.2, 2.2),
        Kill("eu-r1 eu-r2").between(1.5, 6),
    ],
    checks=[predictions_correct, replicas_return],
    slos=["p90 < 100ms", "availability >= 99%"],
    nightly=True,
)
