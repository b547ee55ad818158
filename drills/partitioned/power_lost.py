"""A node that joined loses power, with all that it has not synced, just as it has received its partitions."""

from __future__ import annotations

from faults.join import Join
from faults.power_loss import PowerLoss
from harness.checkers.linearizable import linearizable
from harness.checkers.moved_share import moved_share
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_owner import one_owner
from harness.model.drill import Drill
from harness.model.load import Load
from systems.partitioned import Partitioned
from workloads.registers import Registers

drill = Drill(
    system=Partitioned(members=2, spares=1, partitions=12),
    workload=Registers(keys=60, writes=0.6),
    load=Load(rate=250, clients=40, seconds=6),
    faults=[Join("n3").between(1, 5.5), PowerLoss("n3").between(2, 2.3), PowerLoss("n1").between(3.2, 3.5)],
    checks=[linearizable, nothing_lost, one_owner, moved_share],
    slos=["availability >= 80%"],
    nightly=True,
)
