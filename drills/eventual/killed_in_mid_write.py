"""Nodes die in mid-write: between two logs, with one peer informed, before the answer, and while a log is replaced."""

from __future__ import annotations

from faults.kill import Kill
from faults.power_loss import PowerLoss
from harness.checkers.converges import converges
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.eventual import Eventual
from workloads.registers import Registers

drill = Drill(
    system=Eventual(compact_at_kib=4, grace_s=1),
    workload=Registers(keys=60, writes=0.5, deletes=0.1),
    load=Load(rate=200, clients=40, seconds=7),
    faults=[
        PowerLoss("n1").when(synced="outbox.log", nth=30, from_s=0.5, for_s=0.4),
        Kill("n2").when(sent="/replica/store", nth=20, from_s=1.6, for_s=0.4),
        Kill("n3").when(answering="/kv/", nth=20, from_s=2.8, for_s=0.4),
        PowerLoss("n1").when(renaming="entries.log", nth=2, from_s=4, for_s=0.4),
        Kill("n2").when(syncing="entries.log", nth=10, from_s=5.2, for_s=0.4),
    ],
    checks=[converges, nothing_lost],
    slos=["availability >= 80%"],
    nightly=True,
)
