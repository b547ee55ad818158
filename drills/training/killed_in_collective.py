"""A rank is killed just as its twenty-fifth all-gather begins: the others go on without it, and no bit differs."""

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
    load=Load(rate=40, clients=60, seconds=8, timeout_ms=2500),
    faults=[Kill("rank1").when(collective="gather", nth=25, for_s=0.5)],
    checks=CHECKS,
    slos=["availability >= 99%", "max < 1.5s"],
    nightly=True,
)
