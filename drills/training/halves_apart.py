"""Two of four ranks are cut off from the others and the coordinator: the two that reach it go on, the others do nothing."""

from __future__ import annotations

from drills.training._checks import CHECKS
from faults.partition import Partition
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=4),
    workload=Steps(),
    load=Load(rate=40, clients=60, seconds=9, timeout_ms=2500),
    faults=[Partition("half").between(1.5, 4.5)],
    checks=CHECKS,
    slos=["availability >= 99%", "max < 2s"],
    nightly=True,
)
