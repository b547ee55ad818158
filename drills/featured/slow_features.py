"""The service that every replica depends on becomes too slow: breakers stop this from spreading, and close again afterwards."""

from __future__ import annotations

from faults.latency import Latency
from harness.checkers.no_internal_errors import no_internal_errors
from harness.checkers.one_of_the_right import one_of_the_right
from harness.model.drill import Drill
from harness.model.load import Load
from systems.featured import Featured
from workloads.scores import Scores

drill = Drill(
    system=Featured(replicas=3),
    workload=Scores(),
    load=Load(rate=300, clients=150, seconds=7),
    faults=[Latency("features", delay_ms=600).between(1.5, 4.5)],
    checks=[one_of_the_right, no_internal_errors],
    slos=["p50 < 50ms", "p99 < 600ms", "availability >= 99.9%"],
)
