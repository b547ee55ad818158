"""Ranks are cut off from the leading coordinator alone, and one is killed: it hands over, and its successor decides."""

from __future__ import annotations

from drills.training._checks import COORDINATED
from faults.hand_over import HandOver
from faults.kill import Kill
from faults.partition import Isolate
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
        *(Isolate(f"{rank}>coordinator1").between(2, 5) for rank in ("rank0", "rank1", "rank2")),
        Kill("one").between(3, 4),
    ],
    checks=COORDINATED,
    slos=["availability >= 99%", "max < 3s"],
    nightly=True,
)
