"""Every link delays every request by 0 to 40 ms, so that calls of few keys arrive in every order."""

from __future__ import annotations

from faults.latency import Latency
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.drill import Drill, Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=5, writes=0.3),
    load=Load(rate=250, clients=60, seconds=5.5),
    faults=[Latency("all", delay_ms=20, jitter_ms=20).between(0.5, 5)],
    checks=[linearizable, nothing_lost],
    slos=["p99 < 1s", "availability >= 99%"],
)
