"""A bit flips in a rank's parameters between steps, later in another's momentum: both are named and get the right state."""

from __future__ import annotations

from drills.training._checks import CHECKS
from faults.flip_memory import FlipMemory
from harness.checkers.corruption_named import corruption_named
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3, audit_every=50),
    workload=Steps(),
    load=Load(rate=40, clients=100, seconds=10, timeout_ms=4000),
    faults=[FlipMemory("rank0").at_step(15), FlipMemory("rank1", of="optimizer").at_step(40)],
    checks=(*CHECKS, corruption_named),
    slos=["availability >= 95%", "lost_steps < 1"],
    nightly=True,
)
