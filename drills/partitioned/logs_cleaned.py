"""Nodes clean up short logs all the time, with many deletes and failing syncs, and die twice: they start with what they had."""

from __future__ import annotations

from faults.kill import Kill
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
    system=Partitioned(members=3, spares=0, partitions=6, segment_kib=1),
    workload=Registers(keys=30, writes=0.4, deletes=0.2),
    load=Load(rate=200, clients=40, seconds=6),
    faults=[
        SyncFails("n1").between(0.7, 1.2),
        PowerLoss("n1 n2").between(2, 2.4),
        Kill("n1 n2 n3").between(4, 4.4),
    ],
    checks=[linearizable, nothing_lost, one_owner],
    slos=["availability >= 60%"],
    nightly=True,
)
