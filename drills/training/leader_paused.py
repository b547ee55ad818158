"""The leading coordinator is frozen and a rank killed: another one leads, and the first obeys it when it thaws."""

from __future__ import annotations

from drills.training._checks import COORDINATED
from faults.kill import Kill
from faults.pause import Pause
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3, coordinators=3),
    workload=Steps(),
    load=Load(rate=40, clients=120, seconds=8, timeout_ms=4000),
    faults=[
        Kill("rank0").between(1, 1.3),  # so that there are several generations before
        Pause("leader").between(2.3, 4.5),
        Kill("rank1").between(2.3, 5),
    ],
    checks=COORDINATED,
    slos=["availability >= 99%", "max < 2s"],
    nightly=True,
)
