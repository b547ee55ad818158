"""Nodes die again and again, also in mid-write, and restart under a number that no earlier start of theirs had."""

from __future__ import annotations

from faults.kill import Kill
from faults.power_loss import PowerLoss
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.starts_differ import starts_differ
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=3, writes=0.6),
    load=Load(rate=150, clients=40, seconds=6),
    faults=[
        Kill("n1").between(0.8, 1.1),
        PowerLoss("n1").when(syncing="entries.log", nth=2, from_s=1.2, for_s=0.4),
        Kill("n1").when(sent="/replica", nth=3, from_s=2.4, for_s=0.4),
        Kill("n2").when(synced="entries.log", nth=5, from_s=3.4, for_s=0.4),
    ],
    checks=[starts_differ, linearizable, nothing_lost],
    slos=["p50 < 100ms", "availability >= 80%"],
    nightly=True,
)
