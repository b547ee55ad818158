"""A fourth node joins under load: a quarter of all partitions moves to it, and clients notice nothing."""

from __future__ import annotations

from faults.join import Join
from faults.latency import Latency
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
    load=Load(rate=300, clients=20, seconds=5),
    # The coordinator hears late that a copy is complete, so a move stays open long enough for writes to arrive meanwhile.
    faults=[Join("n4").between(1, 4), Latency("coordinator>n4", delay_ms=60).between(0.5, 4.8)],
    checks=[linearizable, nothing_lost, one_owner, moved_share],
    slos=["p99 < 500ms", "availability >= 99%"],
    nightly=True,
)
