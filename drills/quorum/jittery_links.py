"""Every link delays every request by 0 to 40 ms, so that few keys see many calls in every order; then a node is killed."""

from __future__ import annotations

from faults.kill import Kill
from faults.latency import Latency
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.drill import Drill, Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=3, writes=0.5),
    load=Load(rate=200, clients=40, seconds=7),
    faults=[Latency("all", delay_ms=20, jitter_ms=20).between(0.5, 5.5), Kill("one").between(2.5, 4)],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 80%", "recovery < 3s"],
)
