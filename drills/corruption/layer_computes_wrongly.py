"""A rank gets one bit of one layer's output wrong, whichever layer: it is named, and the spoilt steps are repeated."""

from __future__ import annotations

from drills.training._checks import LEFT_OUT
from faults.wrong_gradient import WrongGradient
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3, checkpoint_every=5, audit_every=1),
    workload=Steps(),
    load=Load(rate=40, clients=100, seconds=10, timeout_ms=4000),
    faults=[WrongGradient("one", of="activation").from_step(15)],
    checks=LEFT_OUT,
    slos=["availability >= 95%"],
    nightly=True,
)
