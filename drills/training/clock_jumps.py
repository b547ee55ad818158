"""A rank is frozen, and the coordinator's clock jumps back ten minutes: the others still go on without it within a second."""

from __future__ import annotations

from drills.training._checks import CHECKS
from faults.clock_jump import ClockJump
from faults.pause import Pause
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3),
    workload=Steps(),
    load=Load(rate=40, clients=60, seconds=8, timeout_ms=5000),
    faults=[
        Pause("rank1").between(1.5, 5),
        ClockJump("coordinator", by_ms=-600_000, every_ms=20_000, must_be_read=False).between(1.7, 5.5),
    ],
    checks=CHECKS,
    slos=["availability >= 99%", "max < 1.5s", "lost_steps < 1"],
    nightly=True,
)
