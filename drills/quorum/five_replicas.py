"""Of five replicas a write waits for four and a read for two: without one, all goes on; without two, only reads do."""

from __future__ import annotations

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
    workload=Registers(keys=6, writes=0.4),
    load=Load(rate=150, clients=60, seconds=8),
    faults=[Isolate("n5").between(1, 4.5), Pause("n4").between(2.5, 3.5)],
    checks=[linearizable, nothing_lost, replicas_return],
    slos=["p50 < 60ms", "availability >= 90%", "recovery < 3s"],
    nightly=True,
)
