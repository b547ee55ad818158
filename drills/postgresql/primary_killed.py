"""PostgreSQL's primary is killed, without a failover, and comes back with all that it had acknowledged."""

from __future__ import annotations

from faults.kill import Kill
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.foreign.postgresql import Postgresql
from workloads.registers import Registers

drill = Drill(
    system=Postgresql(),
    workload=Registers(keys=500, writes=0.5),
    load=Load(rate=100, clients=10, seconds=10),
    faults=[Kill("leader").between(2, 4)],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 20%"],
    nightly=True,
)
