"""Of five replicas a write waits for four and a read for two: without one, all goes on; without two, only reads do.

Before these faults, writes through one node reach three of the others late.
"""

from __future__ import annotations

from faults.latency import Latency
from faults.partition import Isolate
from faults.pause import Pause
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=5, read=2, write=4),
    workload=Registers(keys=4, writes=0.3),
    load=Load(rate=200, clients=60, seconds=10.5),
    faults=[
        Latency("n1>n3 n1>n4 n1>n5", delay_ms=60).between(0.5, 2.5),
        Isolate("n5").between(2.8, 6.4),
        Pause("n4").between(4.8, 5.8),
    ],
    checks=[linearizable, nothing_lost, replicas_return],
    slos=["p50 < 60ms", "availability >= 90%", "recovery < 3s"],
    nightly=True,
)
