"""The others no longer hear one of three machines, while it hears them and clients still reach it."""

from __future__ import annotations

from faults.cut_packets import CutPackets
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=150, clients=40, seconds=6),
    faults=[CutPackets("one", direction="out").between(1.5, 3.5)],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 50%", "recovery < 5s"],
    namespaces=True,
    nightly=True,
)
