"""Tombstones are dropped all the while, and a replica dies with the word of it on its way: what is written next must win."""

from __future__ import annotations

from faults.kill import Kill
from faults.latency import Latency
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2, tombstone_grace_s=1.0, compact_at_kib=4),
    workload=Registers(keys=200, writes=0.15, deletes=0.4),
    load=Load(rate=200, clients=30, seconds=8),
    faults=[
        Latency("n1>n3 n2>n3", delay_ms=200).between(0.5, 7.5),
        Kill("n3").between(2.6, 3),
        Kill("n3").between(4.2, 4.6),
        Kill("n3").between(5.8, 6.2),
    ],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 90%"],
    nightly=True,
)
