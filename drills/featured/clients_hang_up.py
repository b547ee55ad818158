"""Clients give up before the service behind the replicas has answered: that says nothing of it, and keeps no worker busy."""

from __future__ import annotations

from faults.latency import Latency
from harness.checkers.all_settled import all_settled
from harness.checkers.no_internal_errors import no_internal_errors
from harness.checkers.one_of_the_right import one_of_the_right
from harness.model.drill import Drill
from harness.model.load import Load
from systems.featured import Featured
from workloads.scores import Scores

drill = Drill(
    system=Featured(replicas=3),
    workload=Scores(users=6, exact=True),
    load=Load(rate=90, clients=150, seconds=7, timeout_ms=120),
    faults=[Latency("features", delay_ms=115, jitter_ms=50).between(1, 5)],
    checks=[one_of_the_right, all_settled, no_internal_errors],
    slos=["availability >= 60%"],
    nightly=True,
)
