"""A node leaves under load, and is turned off when it holds nothing any more: clients notice nothing."""

from __future__ import annotations

from faults.kill import Kill
from faults.leave import Leave
from harness.checkers.linearizable import linearizable
from harness.checkers.moved_share import moved_share
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_owner import one_owner
from harness.model.drill import Drill
from harness.model.load import Load
from systems.partitioned import Partitioned
from workloads.registers import Registers

drill = Drill(
    system=Partitioned(members=3, spares=0),
    workload=Registers(keys=60, writes=0.5),
    load=Load(rate=150, clients=20, seconds=6),
    faults=[Leave("n3").between(1, 4), Kill("n3").between(4, 5.8)],
    checks=[linearizable, nothing_lost, one_owner, moved_share],
    slos=["p99 < 300ms", "availability >= 97%"],
    nightly=True,
)
