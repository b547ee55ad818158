"""The link between two of three ranks is cut silently: within a second the training goes on without one of the two."""

from __future__ import annotations

from drills.training._checks import CHECKS
from faults.partition import Isolate
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3),
    workload=Steps(),
    load=Load(rate=40, clients=60, seconds=7.5, timeout_ms=2000),
    faults=[Isolate("rank0>rank1").between(1.5, 4)],
    checks=CHECKS,
    slos=["availability >= 99%", "max < 1.5s", "lost_steps < 1"],
    nightly=True,
)
