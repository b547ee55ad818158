"""The primary is cut off from backups and keepers while clients still reach it."""

from __future__ import annotations

from faults.partition import Partition
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.strong import Strong
from workloads.registers import Registers

drill = Drill(
    system=Strong(replicas=3),
    workload=Registers(keys=8, writes=0.5),
    load=Load(rate=150, clients=40, seconds=6),
    faults=[Partition("n1").between(1.2, 3.8)],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 60%", "recovery < 3s"],
    nightly=True,
)
