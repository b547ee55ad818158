"""All links lose some packets, and stall until these are sent again."""

from __future__ import annotations

from faults.stall import Stall
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=150, clients=100, seconds=6),
    faults=[Stall("all", loss=0.02, timeout_ms=50).between(1, 4)],
    checks=[linearizable, nothing_lost],
    slos=["p50 < 100ms", "availability >= 98%", "recovery < 2s"],
    nightly=True,
)
