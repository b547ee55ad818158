"""One in fifty of the replicas' calls to the feature service takes too long: those fail, and no breaker opens."""

from __future__ import annotations

from faults.heavy_tailed_latency import HeavyTailedLatency
from harness.checkers.no_internal_errors import no_internal_errors
from harness.checkers.one_of_the_right import one_of_the_right
from harness.model.drill import Drill
from harness.model.load import Load
from systems.featured import Featured
from workloads.scores import Scores

drill = Drill(
    system=Featured(replicas=3),
    workload=Scores(exact=True),
    load=Load(rate=200, clients=150, seconds=7),
    faults=[HeavyTailedLatency("features", least_ms=10, exponent=1.2, most_ms=400).between(1, 6)],
    checks=[one_of_the_right, no_internal_errors],
    slos=["p50 < 100ms", "availability >= 90%"],
    nightly=True,
)
