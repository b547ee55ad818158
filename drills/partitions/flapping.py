"""The links of one of three replicas are cut again and again, for half a second each time."""

from __future__ import annotations

from faults.partition import Partition
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=120, clients=20, seconds=6),
    faults=[Partition("one").flapping(1, 5, on_s=0.5, off_s=0.7)],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 70%"],
    nightly=True,
)
