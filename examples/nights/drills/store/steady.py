"""Reads and writes of a store on three replicas, with nothing going wrong."""

from __future__ import annotations

from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=20, writes=0.5),
    load=Load(rate=40, clients=20, seconds=5),
    checks=[linearizable, nothing_lost],
    slos=["p50 < 50ms", "availability >= 99%"],
)
