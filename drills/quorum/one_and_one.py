"""Clients read and write a single replica while one of three is cut off: the weaker guarantee shows as stale reads."""

from __future__ import annotations

from faults.partition import Partition
from harness.checkers.linearizable import linearizable
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=1, write=1),
    workload=Registers(keys=10, writes=0.3),
    load=Load(rate=100, clients=20, seconds=5),
    faults=[Partition("n1").between(1, 4)],
    checks=[linearizable],
    caught_by=linearizable,
    nightly=True,
)
