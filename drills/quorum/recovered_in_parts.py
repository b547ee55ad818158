"""A replica with a damaged log recovers several MiB, in parts; only it and a replica that is then cut off had all of it."""

from __future__ import annotations

from faults.flip_bits import FlipBits
from faults.kill import Kill
from faults.partition import Isolate
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.starts_differ import starts_differ
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2, padding_kib=96, hinted_handoff=False, repair_every_s=None),
    workload=Registers(keys=60, writes=0.7),
    load=Load(rate=60, clients=20, seconds=8),
    faults=[
        Isolate("n2").between(2, 3.6),
        Kill("n1").between(3.4, 4),
        FlipBits("n1", file="entries.log", bits=2000).between(3.6, 3.9),
        Kill("n1").between(5, 5.3),
        Isolate("n3").between(5.6, 7),
    ],
    checks=[linearizable, nothing_lost, starts_differ],
    slos=["availability >= 50%"],
    nightly=True,
)
