"""Nodes keep writes of keys that are not their own for a replica that they cannot reach: what is deleted stays deleted."""

from __future__ import annotations

from faults.partition import Partition
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(size=5, replicas=3, read=2, write=2, tombstone_grace_s=1),
    workload=Registers(keys=150, writes=0.2, deletes=0.3),
    load=Load(rate=120, clients=15, seconds=8),
    faults=[Partition("n2>n3 n4>n1").between(1, 6)],
    checks=[linearizable, nothing_lost],
    slos=["p50 < 60ms", "availability >= 95%"],
    nightly=True,
)
