"""The links between an old and a new owner carry no byte for a while in the middle of the moves."""

from __future__ import annotations

from faults.join import Join
from faults.partition import Isolate
from harness.checkers.linearizable import linearizable
from harness.checkers.moved_share import moved_share
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_owner import one_owner
from harness.model.drill import Drill
from harness.model.load import Load
from systems.partitioned import Partitioned
from workloads.registers import Registers

drill = Drill(
    system=Partitioned(members=2, spares=1, partitions=16, rate_mb_per_s=0.002, moves_at_once=2),
    workload=Registers(keys=200, writes=0.5),
    load=Load(rate=200, clients=60, seconds=8),
    faults=[Join("n3").between(1, 7), Isolate("n3>n1 n1>n3").between(1.2, 2.7)],
    checks=[linearizable, nothing_lost, one_owner, moved_share],
    slos=["availability >= 75%"],
    nightly=True,
)
