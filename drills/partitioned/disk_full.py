"""The disk of the node that joins fills up in the middle of its copies: the moves are rolled back, and done later."""

from __future__ import annotations

from faults.disk_full import DiskFull
from faults.join import Join
from harness.checkers.linearizable import linearizable
from harness.checkers.moved_share import moved_share
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_owner import one_owner
from harness.model.drill import Drill
from harness.model.load import Load
from systems.partitioned import Partitioned
from workloads.registers import Registers

drill = Drill(
    system=Partitioned(members=2, spares=1, partitions=6, batch_kib=1, rate_mb_per_s=0.004, moves_at_once=6),
    workload=Registers(keys=300, writes=0.6),
    load=Load(rate=250, clients=60, seconds=9),
    faults=[Join("n3").between(2, 8.5), DiskFull("n3").when(heard="/pull", nth=2, from_s=2, for_s=4)],
    checks=[linearizable, nothing_lost, one_owner, moved_share],
    slos=["availability >= 97%"],
    nightly=True,
)
