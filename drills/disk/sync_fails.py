"""Syncs fail on all disks, and then the power fails: nothing that was acknowledged may be lost."""

from __future__ import annotations

from faults.power_loss import PowerLoss
from faults.sync_fails import SyncFails
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=200, clients=20, seconds=6),
    faults=[
        SyncFails("all").between(1.5, 3.5),
        PowerLoss("all").between(3, 4),
    ],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 40%"],
    nightly=True,
)
