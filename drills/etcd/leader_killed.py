"""The leader of three etcd members is killed: another one takes over, and all stays linearizable."""

from __future__ import annotations

from faults.kill import Kill
from harness.checkers.linearizable import linearizable
from harness.model.drill import Drill
from harness.model.load import Load
from systems.foreign.etcd import Etcd
from workloads.registers import Registers

drill = Drill(
    system=Etcd(),
    workload=Registers(keys=20, writes=0.3, compare_and_sets=0.2, deletes=0.05),
    load=Load(rate=150, clients=10, seconds=9),
    faults=[Kill("leader").between(2, 6)],
    checks=[linearizable],
    slos=["availability >= 50%", "recovery < 5s"],
    nightly=True,
)
