"""One of three replicas can get hardly more memory while more and more clients connect to it: the store goes on."""

from __future__ import annotations

from faults.memory_pressure import MemoryPressure
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(),
    workload=Registers(keys=20, writes=0.5),
    load=Load(rate=500, clients=1500, seconds=8),
    faults=[MemoryPressure("one", headroom_mib=2).between(1, 6)],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 90%"],
    nightly=True,
)
