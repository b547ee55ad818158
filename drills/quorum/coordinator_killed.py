"""A node that clients talk to is killed in the middle of their calls, and comes back with what it had."""

from __future__ import annotations

from faults.kill import Kill
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.drill import Drill, Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=250, clients=20, seconds=6),
    faults=[Kill("n1").between(1.5, 3.5)],
    checks=[linearizable, nothing_lost],
    slos=["p99 < 1s", "availability >= 95%", "recovery < 2s"],
)
