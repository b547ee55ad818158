"""Master and standby start together, and one worker hears the standby first: it works for the master that the others elect."""

from __future__ import annotations

from drills.training._checks import MASTER_CHECKS
from faults.kill import Kill
from faults.latency import Latency
from faults.partition import Isolate
from harness.model.drill import Drill
from harness.model.load import Load
from systems.parameter_server import ParameterServer
from workloads.steps import Steps

drill = Drill(
    system=ParameterServer(workers=3, checkpoint_every=5),
    workload=Steps(),
    load=Load(rate=20, clients=100, seconds=9, timeout_ms=5000),
    faults=[
        Kill("master standby").between(2.5, 2.8),
        *(Isolate(f"standby>{worker}").between(1, 6) for worker in ("worker2", "worker3")),
        Latency("master>worker1", delay_ms=200).between(1, 6),
    ],
    checks=MASTER_CHECKS,
    slos=["availability >= 99%", "max < 4.5s"],
    nightly=True,
)
