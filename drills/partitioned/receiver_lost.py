"""The node that copies partitions dies for long: their owners go on without it, and they move when it is back."""

from __future__ import annotations

from faults.join import Join
from faults.kill import Kill
from harness.checkers.linearizable import linearizable
from harness.checkers.moved_share import moved_share
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_owner import one_owner
from harness.model.drill import Drill
from harness.model.load import Load
from systems.partitioned import Partitioned
from workloads.registers import Registers

drill = Drill(
    system=Partitioned(members=2, spares=1, partitions=16, batch_kib=1, rate_mb_per_s=0.004, moves_at_once=16),
    workload=Registers(keys=300, writes=0.6),
    load=Load(rate=250, clients=60, seconds=10),
    faults=[Join("n3").between(1.5, 9), Kill("n3").when(heard="/pull", nth=3, from_s=1.5, for_s=4.5)],
    checks=[linearizable, nothing_lost, one_owner, moved_share],
    slos=["availability >= 97%"],
    nightly=True,
)
