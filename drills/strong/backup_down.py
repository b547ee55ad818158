"""A backup dies and comes back: writes go on without it, and it catches up."""

from __future__ import annotations

from faults.kill import Kill
from harness.checkers.linearizable import linearizable
from harness.model.drill import Drill
from harness.model.load import Load
from systems.strong import Strong
from workloads.registers import Registers

drill = Drill(
    system=Strong(replicas=3),
    workload=Registers(keys=8, writes=0.4, compare_and_sets=0.1),
    load=Load(rate=150, clients=40, seconds=6),
    faults=[Kill("n2").between(1.2, 3)],
    checks=[linearizable],
    slos=["availability >= 90%", "recovery < 3s"],
    nightly=True,
)
