"""PostgreSQL fails over though its primary still runs: both wait for a standby, so neither acknowledges anything."""

from __future__ import annotations

from faults.failover import Failover
from faults.partition import Partition
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.foreign.postgresql import Postgresql
from workloads.registers import Registers

drill = Drill(
    system=Postgresql(),
    workload=Registers(keys=500, writes=0.5),
    load=Load(rate=100, clients=10, seconds=8),
    faults=[Partition("n2>n1").between(1.5, 5), Failover("n2").between(2.5, 6)],
    checks=[linearizable, nothing_lost],
    nightly=True,
)
