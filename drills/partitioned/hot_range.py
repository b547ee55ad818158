"""Most calls go to a tenth of all keys, which lie in one range: it is cut into halves of equal load."""

from __future__ import annotations

from harness.checkers.balanced import balanced
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_owner import one_owner
from harness.model.drill import Drill
from harness.model.load import Load
from systems.partitioned import Partitioned
from workloads.entities import Entities

drill = Drill(
    system=Partitioned(members=3, spares=0, method="range", boundaries=("e060", "e130"), balance=True),
    workload=Entities(entities=200, writes=0.3, low=0.7),
    load=Load(rate=250, clients=30, seconds=9),
    checks=[linearizable, nothing_lost, one_owner, balanced],
    slos=["p99 < 300ms", "availability >= 99%"],
    nightly=True,
)
