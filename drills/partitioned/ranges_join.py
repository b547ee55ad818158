"""A node joins a store of ranges, whose keys are read one by one, several at once, and range by range."""

from __future__ import annotations

from faults.join import Join
from harness.checkers.each_key_linearizable import each_key_linearizable
from harness.checkers.linearizable import linearizable
from harness.checkers.moved_share import moved_share
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_owner import one_owner
from harness.model.drill import Drill
from harness.model.load import Load
from systems.partitioned import Partitioned
from workloads.entities import Entities

drill = Drill(
    system=Partitioned(
        members=2,
        spares=1,
        method="range",
        boundaries=tuple(f"e{first:03}" for first in range(2, 40, 2)),
    ),
    workload=Entities(entities=40, writes=0.2, deletes=0.02, multi_gets=0.1, scans=0.1),
    load=Load(rate=200, clients=20, seconds=6),
    faults=[Join("n3").between(1, 5.5)],
    checks=[each_key_linearizable, linearizable, nothing_lost, one_owner, moved_share],
    slos=["p99 < 300ms", "availability >= 99%"],
    nightly=True,
)
