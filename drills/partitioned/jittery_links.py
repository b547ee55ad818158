"""Delays between nodes vary so much that the writes of a key overtake each other: each replica keeps the newest."""

from __future__ import annotations

from faults.latency import Latency
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_owner import one_owner
from harness.model.drill import Drill
from harness.model.load import Load
from systems.partitioned import Partitioned
from workloads.registers import Registers

LINKS = "n1>n2 n1>n3 n2>n1 n2>n3 n3>n1 n3>n2"

drill = Drill(
    system=Partitioned(members=3, spares=0, replicas=3, partitions=6),
    workload=Registers(keys=5, writes=0.6),
    load=Load(rate=300, clients=40, seconds=5),
    faults=[Latency(LINKS, delay_ms=15, jitter_ms=15).between(0.5, 4)],
    checks=[linearizable, nothing_lost, one_owner],
    slos=["p99 < 400ms", "availability >= 99%"],
    nightly=True,
)
