"""Four replicas are split into two pairs: neither is a majority, and both must refuse."""

from __future__ import annotations

from faults.partition import Partition
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=4, read=3, write=3),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=120, clients=20, seconds=7),
    faults=[Partition("half").between(1, 3)],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 40%", "recovery < 5s"],
    nightly=True,
)
