"""A rank comes back, and the rank that sends it the state is killed as it begins: a third rank sends it."""

from __future__ import annotations

from drills.training._checks import CHECKS
from faults.kill import Kill
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3),
    workload=Steps(),
    load=Load(rate=40, clients=60, seconds=9, timeout_ms=2500),
    faults=[Kill("rank0").between(1.5, 2.5), Kill("rank1").when(collective="broadcast", from_s=1.6, for_s=1)],
    checks=CHECKS,
    slos=["availability >= 99%", "max < 2s"],
    nightly=True,
)
