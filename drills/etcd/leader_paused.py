"""The leader of three etcd members is paused, and wakes up as a former leader: it serves nothing stale."""

from __future__ import annotations

from faults.pause import Pause
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
    faults=[Pause("leader").between(2, 6)],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 50%", "recovery < 5s"],
    nightly=True,
)
