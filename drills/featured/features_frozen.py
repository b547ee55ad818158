"""The service that every replica depends on freezes, and the breakers' probes expire long before they are given up."""

from __future__ import annotations

import msgspec

from faults.pause import Pause
from harness.checkers.all_settled import all_settled
from harness.checkers.no_internal_errors import no_internal_errors
from harness.checkers.one_of_the_right import one_of_the_right
from harness.model.drill import Drill
from harness.model.load import Load
from systems.featured import BREAKER, Featured
from workloads.scores import Scores

drill = Drill(
    system=Featured(replicas=3, breaker=msgspec.structs.replace(BREAKER, probe_expires_s=0.1)),
    workload=Scores(),
    load=Load(rate=150, clients=150, seconds=7),
    faults=[Pause("features").between(1, 4.5)],
    checks=[one_of_the_right, all_settled, no_internal_errors],
    slos=["p50 < 50ms", "availability >= 99.9%"],
    nightly=True,
)
