"""A node of weight 3 joins two of weight 1, and takes three fifths of the load."""

from __future__ import annotations

from faults.join import Join
from harness.checkers.balanced import balanced
from harness.checkers.linearizable import linearizable
from harness.checkers.moved_share import moved_share
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_owner import one_owner
from harness.model.drill import Drill
from harness.model.load import Load
from systems.partitioned import Partitioned
from workloads.registers import Registers

drill = Drill(
    system=Partitioned(members=2, spares=1, weights=(1.0, 1.0, 3.0), partitions=128, moves_at_once=16),
    workload=Registers(keys=400, writes=0.3),
    load=Load(rate=300, clients=20, seconds=6),
    faults=[Join("n3").between(0.5, 5)],
    checks=[linearizable, nothing_lost, one_owner, moved_share, balanced],
    slos=["p99 < 300ms", "availability >= 99%"],
    nightly=True,
)
