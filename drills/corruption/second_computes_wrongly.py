"""A rank computes wrongly, and another one as soon as that is known: the steps that are repeated are taken back as well."""

from __future__ import annotations

from drills.training._checks import LEFT_OUT
from faults.wrong_gradient import WrongGradient
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=4, audit_every=4),
    workload=Steps(),
    load=Load(rate=40, clients=120, seconds=11, timeout_ms=4000),
    faults=[
        WrongGradient("rank1", bit=12).from_step(15),
        # As it is recorded that rank1 is wrong: so in steps that rank3 computes again, and for which it passed an audit before.
        WrongGradient("rank3", bit=12).when(syncing="distrusted", at="coordinator", for_s=8),
    ],
    checks=LEFT_OUT,
    slos=["availability >= 95%"],
    nightly=True,
)
