"""A link between a worker and the master flips bits in most of its messages: neither accepts a corrupted one."""

from __future__ import annotations

from drills.training._checks import SERVED
from faults.corrupt_bytes import CorruptBytes
from harness.model.drill import Drill
from harness.model.load import Load
from systems.parameter_server import ParameterServer
from workloads.steps import Steps

drill = Drill(
    system=ParameterServer(workers=3),
    workload=Steps(),
    load=Load(rate=20, clients=50, seconds=8, timeout_ms=2500),
    faults=[CorruptBytes("worker1>master", rate=2e-6).between(1.5, 5)],
    checks=SERVED,
    slos=["availability >= 99%", "max < 1.5s"],
    nightly=True,
)
