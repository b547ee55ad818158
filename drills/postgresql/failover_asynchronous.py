"""PostgreSQL's standby lags and is promoted: the drill must catch the loss of commits that the primary had acknowledged."""

from __future__ import annotations

from faults.failover import Failover
from faults.kill import Kill
from faults.partition import Partition
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.foreign.postgresql import Postgresql
from workloads.registers import Registers

drill = Drill(
    system=Postgresql(synchronous=False),
    workload=Registers(keys=500, writes=0.5),
    load=Load(rate=100, clients=10, seconds=8),
    faults=[
        Partition("n2>n1").between(1.5, 3.5),
        Kill("n1").between(2.5, 5),
        Failover("n2").between(3, 7),
    ],
    checks=[nothing_lost],
    caught_by=nothing_lost,
    nightly=True,
)
