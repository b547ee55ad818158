"""The primary's disk is full: it gives way to a replica whose disk is not."""

from __future__ import annotations

from faults.disk_full import DiskFull
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
    faults=[DiskFull("n1").between(1.5, 3.5)],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 60%", "recovery < 3s"],
    nightly=True,
)
