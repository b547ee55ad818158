"""One of the two replicas with the newest writes finds its log damaged; it must not go on with what is still readable."""

from __future__ import annotations

from faults.flip_bits import FlipBits
from faults.kill import Kill
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
    load=Load(rate=200, clients=20, seconds=7),
    faults=[
        Isolate("n3").between(1, 3),
        Kill("n1").between(2.2, 2.9),
        FlipBits("n1", file="entries.log", bits=2000).between(2.4, 2.8),
        Isolate("n2").between(2.6, 4.4),
    ],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 50%"],
    nightly=True,
)
