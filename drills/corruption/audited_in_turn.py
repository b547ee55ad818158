"""A rank gets the same bit wrong whenever it computes: any audit finds it out, because another rank does it."""

from __future__ import annotations

from typing import Final

from faults.wrong_gradient import WrongGradient
from harness.checkers.corruption_named import corruption_named_within
from harness.checkers.every_sample_once import every_sample_once
from harness.checkers.replicas_agree import replicas_agree
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

_RANKS: Final = 3
_AUDIT_EVERY: Final = 4

drill = Drill(
    system=Training(ranks=_RANKS, checkpoint_every=5, audit_every=_AUDIT_EVERY),
    workload=Steps(),
    load=Load(rate=40, clients=100, seconds=10, timeout_ms=4000),
    faults=[WrongGradient("rank0", bit=12, steady=True).from_step(18)],
    checks=(
        corruption_named_within(_RANKS * _AUDIT_EVERY + 1),  # a rank may begin a step before others have recorded the last one
        replicas_agree,
        every_sample_once,
    ),
    slos=["availability >= 95%"],
    nightly=True,
)
