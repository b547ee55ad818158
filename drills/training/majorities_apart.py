"""Most ranks are cut off with the leading coordinator, one rank with the two others: only the one with the quorum trains."""

from __future__ import annotations

from drills.training._checks import COORDINATED
from faults.hand_over import HandOver
from faults.partition import Partition
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3, coordinators=3),
    workload=Steps(),
    load=Load(rate=40, clients=120, seconds=8, timeout_ms=3000),
    faults=[
        HandOver("coordinator1").between(0.5, 1.5),
        Partition("coordinator1 rank0 rank1").between(2, 5),
    ],
    checks=COORDINATED,
    slos=["availability >= 99%", "max < 3s"],
    nightly=True,
)
