"""A sync of a node's log fails, its data is lost, and then the power: what the node acknowledged later is there again."""

from __future__ import annotations

from faults.power_loss import PowerLoss
from faults.sync_fails import SyncFails
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_owner import one_owner
from harness.model.drill import Drill
from harness.model.load import Load
from systems.partitioned import Partitioned
from workloads.registers import Registers

drill = Drill(
    system=Partitioned(members=2, spares=0, partitions=8),
    workload=Registers(keys=40, writes=0.5),
    load=Load(rate=150, clients=40, seconds=5),
    faults=[SyncFails("n1").between(1, 2), PowerLoss("n1").between(2.2, 2.6)],
    checks=[linearizable, nothing_lost, one_owner],
    slos=["availability >= 70%"],
    nightly=True,
)
