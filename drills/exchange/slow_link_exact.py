"""A link between two ranks carries 700 kB/s: an exact exchange takes a second over it, and is not mistaken for a cut link."""

from __future__ import annotations

from drills.exchange._checks import AGREE
from faults.shared_bandwidth import SharedBandwidth
from harness.checkers.same_parameters import same_parameters
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3),
    workload=Steps(),
    load=Load(rate=10, clients=60, seconds=12, timeout_ms=6000),
    faults=[SharedBandwidth("rank0>rank1", kb_per_s=700).between(3, 9)],
    checks=(same_parameters, *AGREE),
    slos=["availability >= 99%", "stall < 5s", "lost_steps < 1"],
    nightly=True,
)
