"""A rank gets one low bit of each gradient wrong: audits name it, it is excluded, and the spoilt steps are repeated."""

from __future__ import annotations

from drills.training._checks import LEFT_OUT
from faults.wrong_gradient import WrongGradient
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    # Between two steps there is time for the fault to begin: as a rule with step 14, right after an audit of rank1. What is
    # trusted must end exactly there, and the checkpoint after step 14 is wrong.
    system=Training(ranks=3, step_ms=80, checkpoint_every=5, audit_every=1),
    workload=Steps(),
    load=Load(rate=40, clients=100, seconds=10, timeout_ms=4000),
    faults=[WrongGradient("rank1", bit=12).from_step(14)],
    checks=LEFT_OUT,
    slos=["availability >= 95%"],
    nightly=True,
)
