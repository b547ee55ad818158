"""The service that every replica depends on is down for a while: replicas use average features meanwhile, and say so."""

from __future__ import annotations

from faults.kill import Kill
from harness.checkers.no_internal_errors import no_internal_errors
from harness.checkers.one_of_the_right import one_of_the_right
from harness.model.drill import Drill
from harness.model.load import Load
from systems.featured import Featured
from workloads.scores import Scores

drill = Drill(
    system=Featured(replicas=3),
    workload=Scores(),
    load=Load(rate=300, clients=150, seconds=5),
    faults=[Kill("features").between(1, 3)],
    checks=[one_of_the_right, no_internal_errors],
    slos=["p50 < 50ms", "availability >= 99.9%"],
    nightly=True,
)
