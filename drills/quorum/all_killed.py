"""All replicas are killed at once; everything acknowledged must come back from their disks."""

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
    load=Load(rate=250, clients=20, seconds=6),
    faults=[Kill("all").between(2, 3)],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 60%", "recovery < 3s"],
)
