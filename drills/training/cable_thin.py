"""Each machine in a namespace: one rank's cable carries 20 Mbit/s for a while, and no step is lost."""

from __future__ import annotations

from drills.training._checks import CHECKS
from faults.rate_limit import RateLimit
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3),
    workload=Steps(),
    load=Load(rate=40, clients=80, seconds=7.5, timeout_ms=3000),
    faults=[RateLimit("rank1", kbit_per_s=20_000).between(1.5, 4)],
    checks=CHECKS,
    slos=["availability >= 99%", "max < 2.5s", "lost_steps < 1"],
    namespaces=True,
    nightly=True,
)
