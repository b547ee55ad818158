"""Master and standby are killed and start together: both stand for election in the same term, and the workers elect one."""

from __future__ import annotations

from drills.training._checks import MASTER_CHECKS
from faults.kill import Kill
from harness.model.drill import Drill
from harness.model.load import Load
from systems.parameter_server import ParameterServer
from workloads.steps import Steps

drill = Drill(
    system=ParameterServer(workers=3, checkpoint_every=5),
    workload=Steps(),
    load=Load(rate=20, clients=100, seconds=9, timeout_ms=5000),
    faults=[Kill("master standby").between(2, 2.3), Kill("master standby").between(5.2, 5.5)],
    checks=MASTER_CHECKS,
    slos=["availability >= 99%", "max < 4.5s"],
    nightly=True,
)
