"""The coordinator dies while nodes let their last operations finish: they go on answering for what they were about to lose.

Nodes are far from each other, so operations take long, and the coordinator waits for some nearly all the time.
"""

from __future__ import annotations

from faults.join import Join
from faults.kill import Kill
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
    system=Partitioned(members=3, spares=1, replicas=2, partitions=16, moves_at_once=1),
    workload=Registers(keys=60, writes=0.5),
    load=Load(rate=150, clients=80, seconds=8),
    faults=[
        Latency("n1>n2 n2>n1 n2>n3 n3>n2 n3>n1 n1>n3", delay_ms=50).between(0.5, 5),
        Join("n4").between(1, 7.5),
        *(Kill("coordinator").between(begin, begin + 0.25) for begin in (1.2, 1.7, 2.2, 2.7, 3.2, 3.7)),
    ],
    checks=[linearizable, nothing_lost, one_owner, moved_share],
    slos=["availability >= 90%"],
    nightly=True,
)
