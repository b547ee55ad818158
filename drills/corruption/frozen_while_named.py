"""A rank is frozen while another one is named, with steps that this one has spoilt: when it wakes, nobody takes them over."""

from __future__ import annotations

from drills.training._checks import LEFT_OUT
from faults.pause import Pause
from faults.wrong_gradient import WrongGradient
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    # No audit between the steps 20 and 25, and none that rank1 has a part in before that; all 20 steps are repeated, slowly
    # enough for the frozen rank to come back with more steps than the others have by then.
    system=Training(ranks=4, step_ms=60, audit_every=5, checkpoint_every=50),
    workload=Steps(),
    load=Load(rate=15, clients=60, seconds=11, timeout_ms=4000),
    faults=[WrongGradient("rank1", bit=12).from_step(14), Pause("rank3").at_step(20, for_s=1.4)],
    checks=LEFT_OUT,
    slos=["availability >= 95%"],
    nightly=True,
)
