"""A replica is cut off and loses its connections; for two more seconds it accepts no new ones."""

from __future__ import annotations

from faults.drop_connections import DropConnections
from faults.partition import Isolate
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=250, clients=40, seconds=7),
    faults=[Isolate("n2").between(1, 2), DropConnections("n2").between(1.5, 4)],
    checks=[linearizable, nothing_lost],
    slos=["p50 < 50ms", "availability >= 90%", "recovery < 4s"],
    nightly=True,
)
