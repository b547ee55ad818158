"""A Redis that keeps nothing on disk is killed: the drill must catch the loss of acknowledged writes."""

from __future__ import annotations

from faults.kill import Kill
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.foreign.redis import Redis
from workloads.registers import Registers

drill = Drill(
    system=Redis(fsync=False),
    workload=Registers(keys=200, writes=0.5),
    load=Load(rate=250, clients=10, seconds=4),
    faults=[Kill("redis").between(2, 3)],
    checks=[nothing_lost],
    caught_by=nothing_lost,
)
