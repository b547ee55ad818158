"""The highest bit of one number in one gradient flips: its length gives it away, and it is never applied."""

from __future__ import annotations

from drills.training._checks import LEFT_OUT
from faults.wrong_gradient import WrongGradient
from harness.checkers.one_history import one_history
from harness.checkers.same_parameters import same_parameters
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=4, audit_every=1),
    workload=Steps(),
    load=Load(rate=40, clients=100, seconds=10, timeout_ms=4000),
    faults=[WrongGradient("rank2", bit=30, times=1).from_step(15)],
    checks=(*LEFT_OUT, same_parameters, one_history),
    slos=["availability >= 95%"],
    nightly=True,
)
