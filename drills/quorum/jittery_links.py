"""Requests take 0 to 40 ms over every link and nodes stand still in turn, so that calls come in bursts and in every order."""

from __future__ import annotations

from faults.latency import Latency
from faults.pause import Pause
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.drill import Drill, Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=8, writes=0.3),
    load=Load(rate=250, clients=80, seconds=5.5),
    faults=[
        Latency("all", delay_ms=20, jitter_ms=20).between(0.5, 5.2),
        Pause("n1").between(0.8, 1.2),
        Pause("n2").between(1.4, 1.8),
        Pause("n3").between(2.0, 2.4),
        Pause("n1").between(2.6, 3.0),
        Pause("n2").between(3.2, 3.6),
        Pause("n3").between(3.8, 4.2),
        Pause("n1").between(4.4, 4.8),
    ],
    checks=[linearizable, nothing_lost],
    slos=["p99 < 1s", "availability >= 97%"],
)
