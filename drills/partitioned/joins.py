"""A fourth node joins under load: a quarter of all partitions moves to it, and no call shows it."""

from __future__ import annotations

from faults.join import Join
from harness.checkers.linearizable import linearizable
from harness.checkers.moved_share import moved_share
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_owner import one_owner
from harness.model.drill import Drill
from harness.model.load import Load
from systems.partitioned import Partitioned
from workloads.registers import Registers

drill = Drill(
    system=Partitioned(members=3, spares=1),
    workload=Registers(keys=60, writes=0.5, deletes=0.05),
    load=Load(rate=200, clients=20, seconds=5),
    faults=[Join("n4").between(1, 4)],
    checks=[linearizable, nothing_lost, one_owner, moved_share],
    slos=["p99 < 300ms", "availability >= 99%"],
    nightly=True,
)
