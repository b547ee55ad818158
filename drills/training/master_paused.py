"""The master of a parameter server is frozen for four seconds and replaced: when it wakes, it learns that its term is over."""

from __future__ import annotations

from drills.training._checks import MASTER_CHECKS
from faults.pause import Pause
from harness.checkers.majority_took_part import majority_took_part
from harness.model.drill import Drill
from harness.model.load import Load
from systems.parameter_server import ParameterServer
from workloads.steps import Steps

drill = Drill(
    system=ParameterServer(workers=3, checkpoint_every=5),
    workload=Steps(),
    load=Load(rate=20, clients=80, seconds=9.5, timeout_ms=4000),
    faults=[Pause("master").between(2, 6)],
    checks=(*MASTER_CHECKS, majority_took_part),
    slos=["availability >= 99%", "max < 3s"],
    nightly=True,
)
