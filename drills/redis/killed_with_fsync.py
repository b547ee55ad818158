"""A Redis that syncs every write is killed, and comes back with all that it had acknowledged."""

from __future__ import annotations

from faults.kill import Kill
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.foreign.redis import Redis
from workloads.registers import Registers

drill = Drill(
    system=Redis(fsync=True),
    workload=Registers(keys=200, writes=0.5),
    load=Load(rate=250, clients=10, seconds=5),
    faults=[Kill("redis").between(2, 3)],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 60%", "recovery < 3s"],
)
