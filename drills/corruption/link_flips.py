"""A link between two ranks flips bits: no rank uses a gradient that did not arrive as it was sent."""

from __future__ import annotations

from drills.training._checks import CHECKS
from faults.corrupt_bytes import CorruptBytes
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3, audit_every=5),
    workload=Steps(),
    load=Load(rate=40, clients=100, seconds=10, timeout_ms=4000),
    faults=[CorruptBytes("rank0>rank1", rate=2e-7).between(1.5, 5)],
    checks=CHECKS,
    slos=["availability >= 95%"],
    nightly=True,
)
