"""Each machine in a namespace: the packets that one rank sends are lost, while it hears all others. They go on without it."""

from __future__ import annotations

from drills.training._checks import CHECKS
from faults.cut_packets import CutPackets
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3),
    workload=Steps(),
    load=Load(rate=40, clients=60, seconds=7.5, timeout_ms=2000),
    faults=[CutPackets("rank1", direction="out").between(1.5, 4)],
    checks=CHECKS,
    slos=["availability >= 99%", "max < 1.5s", "lost_steps < 1"],
    namespaces=True,
    nightly=True,
)
