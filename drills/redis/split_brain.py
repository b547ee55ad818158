"""Redis fails over though its master still runs: both acknowledge writes, and the drill must catch one of them losing some."""

from __future__ import annotations

from faults.failover import Failover
from faults.partition import Partition
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.foreign.redis_replicated import ReplicatedRedis
from workloads.registers import Registers

drill = Drill(
    system=ReplicatedRedis(),
    workload=Registers(keys=500, writes=0.5),
    load=Load(rate=200, clients=10, seconds=7),
    faults=[Partition("n2>n1").between(1.5, 4), Failover("n2").between(2, 5)],
    checks=[nothing_lost],
    caught_by=nothing_lost,
    nightly=True,
)
