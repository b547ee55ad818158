"""Redis fails over while its replica lags, and writes WAIT for the replica: no acknowledged write is lost."""

from __future__ import annotations

from faults.failover import Failover
from faults.kill import Kill
from faults.partition import Partition
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.foreign.redis_replicated import ReplicatedRedis
from workloads.registers import Registers

drill = Drill(
    system=ReplicatedRedis(wait_ms=300),
    workload=Registers(keys=500, writes=0.5),
    load=Load(rate=200, clients=10, seconds=7),
    faults=[
        Partition("n2>n1").between(1.5, 3.5),
        Kill("n1").between(2.5, 5),
        Failover("n2").between(3, 6),
    ],
    checks=[nothing_lost],
    slos=["availability >= 30%"],
    nightly=True,
)
