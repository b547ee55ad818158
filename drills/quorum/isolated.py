"""One of three replicas is cut off from everything, clients included; clients use the other two."""

from __future__ import annotations

from faults.partition import Isolate
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=250, clients=40, seconds=5.5),
    faults=[Isolate("one").between(1.5, 3.5)],
    checks=[linearizable, nothing_lost, replicas_return],
    slos=["p50 < 50ms", "availability >= 95%", "recovery < 3s"],
)
