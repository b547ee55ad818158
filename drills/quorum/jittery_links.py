"""Links between nodes reorder requests, and nodes pause in turn, so that calls come in bursts."""

from __future__ import annotations

from faults.latency import Latency
from faults.pause import Pause
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=5, writes=0.25),
    load=Load(rate=250, clients=200, seconds=6.6),
    faults=[  # the last burst comes just before the end, so that reads can still find what it leaves behind
        *(Latency(f"n{a}>n{b}", delay_ms=20, jitter_ms=20).between(0.5, 6.6) for a in (1, 2, 3) for b in (1, 2, 3) if a != b),
        Pause("n1").between(0.8, 1.4),
        Pause("n2").between(1.8, 2.4),
        Pause("n3").between(2.8, 3.4),
        Pause("n1").between(3.8, 4.4),
        Pause("n2").between(4.8, 5.4),
        Pause("n3").between(5.8, 6.5),
    ],
    checks=[linearizable, nothing_lost],
    slos=["p50 < 100ms", "availability >= 85%"],
)
