"""The leader of three etcd members is cut off, also from clients: the others elect a new one, and nothing is lost or stale."""

from __future__ import annotations

from faults.partition import Isolate
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
    faults=[Isolate("leader").between(2, 6)],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 50%", "recovery < 5s"],
    nightly=True,
)
