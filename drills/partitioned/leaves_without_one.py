"""A node leaves while another one is dead, and is turned off when it holds nothing any more: each key still has a majority."""

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
    system=Partitioned(members=5, spares=0, replicas=3, partitions=24),
    workload=Registers(keys=60, writes=0.5),
    load=Load(rate=200, clients=60, seconds=8),
    faults=[Kill("n2").between(0.8, 7), Leave("n1").between(2, 7.5), Kill("n1").between(4, 7)],
    checks=[linearizable, nothing_lost, one_owner, moved_share],
    slos=["availability >= 97%"],
    nightly=True,
)
