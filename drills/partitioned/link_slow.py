"""Copies from an old owner reach the new one late, long after newer writes."""

from __future__ import annotations

from faults.join import Join
from faults.latency import Latency
from harness.checkers.linearizable import linearizable
from harness.checkers.moved_share import moved_share
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_owner import one_owner
from harness.model.drill import Drill
from harness.model.load import Load
from systems.partitioned import Partitioned
from workloads.registers import Registers

drill = Drill(
    system=Partitioned(members=2, spares=1, partitions=6, batch_kib=1, moves_at_once=2),
    workload=Registers(keys=60, writes=0.6),
    load=Load(rate=300, clients=40, seconds=6),
    faults=[
        Join("n3").between(1, 5.5),
        Latency("n3>n1 n3>n2", delay_ms=80).between(0.5, 5),
    ],
    checks=[linearizable, nothing_lost, one_owner, moved_share],
    slos=["p99 < 400ms", "availability >= 99%"],
    nightly=True,
)
