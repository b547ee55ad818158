"""Two nodes join at once, while partitions of the first one are still on their way."""

from __future__ import annotations

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
    system=Partitioned(members=3, spares=2, rate_mb_per_s=0.05),
    workload=Registers(keys=80, writes=0.5, deletes=0.05),
    load=Load(rate=200, clients=20, seconds=6),
    faults=[Join("n4").between(1, 5), Join("n5").between(1.2, 5)],
    checks=[linearizable, nothing_lost, one_owner, moved_share],
    slos=["p99 < 300ms", "availability >= 99%"],
    nightly=True,
)
