"""All of the last group is cut off with the leading coordinator, and a rank outside it hears the two others: it waits."""

from __future__ import annotations

from drills.training._checks import COORDINATED
from faults.hand_over import HandOver
from faults.kill import Kill
from faults.partition import Partition
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3, coordinators=3),
    workload=Steps(),
    load=Load(rate=40, clients=120, seconds=10, timeout_ms=3000),
    faults=[
        HandOver("coordinator1").between(0.5, 1.5),
        Kill("rank2").between(1.5, 3),  # so the last group is of the two others, which do steps all the time
        Partition("coordinator1 rank0 rank1").between(2.3, 7),
    ],
    checks=COORDINATED,
    slos=["availability >= 99%", "max < 3s"],
    nightly=True,
)
