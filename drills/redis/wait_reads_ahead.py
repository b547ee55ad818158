"""WAIT does not make Redis linearizable: the drill must catch reads of a write that the failover undid."""

from __future__ import annotations

from faults.failover import Failover
from faults.kill import Kill
from faults.partition import Partition
from harness.checkers.linearizable import linearizable
from harness.model.drill import Drill
from harness.model.load import Load
from systems.foreign.redis_replicated import ReplicatedRedis
from workloads.registers import Registers

drill = Drill(
    system=ReplicatedRedis(wait_ms=300),
    workload=Registers(keys=50, writes=0.5),
    load=Load(rate=200, clients=10, seconds=7),
    faults=[
        Partition("n2>n1").between(1.5, 3.5),
        Kill("n1").between(2.5, 5),
        Failover("n2").between(3, 6),
    ],
    checks=[linearizable],
    caught_by=linearizable,
    nightly=True,
)
