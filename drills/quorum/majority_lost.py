"""Two of three replicas are killed: until they are back, the third must refuse rather than answer wrongly."""

from __future__ import annotations

from faults.kill import Kill
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=250, clients=40, seconds=5.5),
    faults=[Kill("majority").between(1.5, 3)],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 50%", "recovery < 4s"],
)
