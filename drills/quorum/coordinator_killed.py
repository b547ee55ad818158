"""A node is killed, misses writes to many keys, and coordinates again as soon as it is back."""

from __future__ import annotations

from faults.kill import Kill
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=200, writes=0.5),
    load=Load(rate=250, clients=40, seconds=5.5),
    faults=[Kill("one").between(1, 3)],
    checks=[linearizable, nothing_lost, replicas_return],
    slos=["p99 < 500ms", "availability >= 95%", "recovery < 3s"],
    nightly=True,
)
