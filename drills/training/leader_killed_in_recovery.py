"""A rank is killed, and the leading coordinator just as it tells the others to go on: its successor finishes the recovery."""

from __future__ import annotations

from drills.training._checks import COORDINATED
from faults.kill import Kill
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3, coordinators=3),
    workload=Steps(),
    load=Load(rate=40, clients=120, seconds=7.5, timeout_ms=3000),
    faults=[
        Kill("leader").when(sent="/form", from_s=1.5, for_s=2),
        Kill("one").between(2, 3.5),
    ],
    checks=COORDINATED,
    slos=["availability >= 99%", "max < 3s"],
    nightly=True,
)
