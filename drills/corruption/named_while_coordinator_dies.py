"""The coordinator is killed as it records which rank computes wrongly, and later another rank: the right one is excluded."""

from __future__ import annotations

from drills.training._checks import LEFT_OUT
from faults.kill import Kill
from faults.wrong_gradient import WrongGradient
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=4, checkpoint_every=5, audit_every=2),
    workload=Steps(),
    load=Load(rate=40, clients=120, seconds=12, timeout_ms=5000),
    faults=[
        WrongGradient("rank1", bit=12).from_step(15),
        Kill("coordinator").when(syncing="distrusted", for_s=0.7),
        Kill("rank2").at_step(60, for_s=0.5),
    ],
    checks=LEFT_OUT,
    slos=["availability >= 80%"],
    nightly=True,
)
