"""The leader of three etcd members is cut off while clients still reach it: it serves nothing stale."""

from __future__ import annotations

from faults.partition import Partition
from harness.checkers.linearizable import linearizable
from harness.model.drill import Drill
from harness.model.load import Load
from systems.foreign.etcd import Etcd
from workloads.registers import Registers

drill = Drill(
    system=Etcd(),
    workload=Registers(keys=20, writes=0.3, compare_and_sets=0.2, deletes=0.05),
    load=Load(rate=150, clients=10, seconds=9),
    faults=[Partition("leader").between(2, 6)],
    checks=[linearizable],
    slos=["availability >= 50%", "recovery < 5s"],
    nightly=True,
)
