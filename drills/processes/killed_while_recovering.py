"""A replica comes back from a crash, and is killed the moment it listens again."""

from __future__ import annotations

from faults.kill import Kill
from faults.kill_at import KillAt
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=200, clients=20, seconds=6),
    faults=[Kill("n2").between(1, 2), KillAt("n2", "listening on").between(1.5, 4)],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 90%"],
    nightly=True,
)
