"""The service that every replica depends on still answers, just before it is given up: breakers open for that as well."""

from __future__ import annotations

from faults.latency import Latency
from harness.checkers.no_internal_errors import no_internal_errors
from harness.checkers.one_of_the_right import one_of_the_right
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.featured import Featured
from workloads.scores import Scores

drill = Drill(
    system=Featured(replicas=3),
    workload=Scores(),
    load=Load(rate=90, clients=150, seconds=7),
    faults=[Latency("features", delay_ms=220).between(1, 5)],
    checks=[one_of_the_right, replicas_return, no_internal_errors],
    slos=["p50 < 50ms", "availability >= 99.9%"],
    nightly=True,
)
