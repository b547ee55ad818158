"""The leader of three etcd members no longer hears the others, which still hear it: it steps down."""

from __future__ import annotations

from faults.partition import Partition
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.foreign.etcd import Etcd
from workloads.registers import Registers

drill = Drill(
    system=Etcd(),
    workload=Registers(keys=20, writes=0.5),
    load=Load(rate=150, clients=10, seconds=9),
    faults=[Partition("leader", direction="in").between(2, 6)],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 50%", "recovery < 5s"],
    nightly=True,
)
