"""The store's default is a single replica; clients ask for overlapping quorums with each request, and get their guarantees."""

from __future__ import annotations

from faults.partition import Partition
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=1, write=1, request_read=2, request_write=2),
    workload=Registers(keys=10, writes=0.4, deletes=0.1),
    load=Load(rate=150, clients=30, seconds=5.5),
    faults=[Partition("one").between(1.5, 3.5)],
    checks=[linearizable, nothing_lost],
    slos=["p50 < 60ms", "availability >= 90%"],
    nightly=True,
)
