"""Replicas with small logs compact them all the time, and die or lose power just as the new log replaces the old one."""

from __future__ import annotations

from faults.kill import Kill
from faults.power_loss import PowerLoss
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2, compact_at_kib=4),
    workload=Registers(keys=6, writes=0.7),
    load=Load(rate=250, clients=40, seconds=7.5),
    faults=[
        Kill("n1").when(renaming="entries.log", nth=3, from_s=0.5, for_s=0.4),
        PowerLoss("n2").when(renaming="entries.log", nth=3, from_s=1.8, for_s=0.4),
        PowerLoss("n3").when(renaming="acknowledged", nth=2, from_s=3.1, for_s=0.4),
        PowerLoss("n1").when(synced="entries.log", nth=40, from_s=4.4, for_s=0.4),
    ],
    checks=[linearizable, nothing_lost, replicas_return],
    slos=["p99 < 700ms", "availability >= 93%"],
    nightly=True,
)
