"""What one node sends to the other two takes 60 ms longer, so they learn of its writes later than it does."""

from __future__ import annotations

from faults.latency import Latency
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=4, writes=0.3),
    load=Load(rate=500, clients=40, seconds=5.5),
    faults=[Latency("n1>n2 n1>n3", delay_ms=60).between(1, 4.5)],
    checks=[linearizable, nothing_lost],
    slos=["p50 < 100ms", "p99 < 500ms", "availability >= 99%"],
)
