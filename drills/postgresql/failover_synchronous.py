"""PostgreSQL fails over, and commits wait for the standby: nothing is lost or stale."""

from __future__ import annotations

from faults.failover import Failover
from faults.kill import Kill
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
    load=Load(rate=100, clients=20, seconds=9, timeout_ms=500),
    faults=[
        Partition("n2>n1").between(1.5, 3.5),
        Kill("n1").between(2.5, 4),
        Failover("n2").between(3, 7),
    ],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 20%"],
    nightly=True,
)
