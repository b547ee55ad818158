"""Keys are deleted while replicas are cut off in turn, and one that missed a delete receives the writes kept for it."""

from __future__ import annotations

from faults.kill import Kill
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
    workload=Registers(keys=12, writes=0.3, deletes=0.3),
    load=Load(rate=200, clients=30, seconds=8.4),
    faults=[
        Isolate("n3").between(0.8, 2.2),
        Isolate("n1").between(2.6, 4),
        Kill("n2").between(3.2, 3.6),
        Isolate("n2").between(4.4, 5.6),
    ],
    checks=[linearizable, nothing_lost, replicas_return],
    slos=["p50 < 60ms", "availability >= 80%"],
    nightly=True,
)
