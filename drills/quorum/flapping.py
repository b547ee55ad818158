"""One node after another hears nothing for half a second, and every link is slow: calls are interrupted in all their phases."""

from __future__ import annotations

from faults.latency import Latency
from faults.partition import Partition
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=3, writes=0.5),
    load=Load(rate=200, clients=60, seconds=7),
    faults=[
        Latency("all", delay_ms=40, jitter_ms=10).between(0.5, 6),
        Partition("n1", direction="in").between(1.2, 1.7),
        Partition("n2", direction="in").between(2.1, 2.6),
        Partition("n3", direction="in").between(3.0, 3.5),
        Partition("n1", direction="in").between(3.9, 4.4),
        Partition("n2", direction="in").between(4.8, 5.3),
    ],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 75%"],
)
