"""Keys are deleted while one replica is cut off for longer than tombstones are kept; it must not bring the keys back."""

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
    system=Quorum(replicas=3, read=2, write=2, hinted_handoff=False, tombstone_grace_s=4),
    workload=Registers(keys=300, writes=0.3, deletes=0.3),
    load=Load(rate=60, clients=15, seconds=12),
    faults=[Isolate("n3").between(2, 8.5)],
    checks=[linearizable, nothing_lost, replicas_return],
    slos=["p50 < 60ms", "availability >= 95%"],
    nightly=True,
)
