"""A quarter of all calls goes to one key: its node gives away other partitions, until no node has much more than its share."""

from __future__ import annotations

from harness.checkers.balanced import balanced_within
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_owner import one_owner
from harness.model.drill import Drill
from harness.model.load import Load
from systems.partitioned import Partitioned
from workloads.entities import Entities

drill = Drill(
    system=Partitioned(members=3, spares=0, method="bounded", balance=True, partitions=48),
    workload=Entities(entities=200, writes=0.3, hot=0.25),
    load=Load(rate=250, clients=30, seconds=9),
    checks=[linearizable, nothing_lost, one_owner, balanced_within(1.35)],
    slos=["p99 < 300ms", "availability >= 99%"],
    nightly=True,
)
