"""Ranks are killed at random times, six times in ten seconds, and come back: whatever coincides, no bit differs."""

from __future__ import annotations

from drills.training._checks import CHECKS
from faults.kill import Kill
from harness.model.composition import RandomFaults
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=4),
    workload=Steps(),
    load=Load(rate=40, clients=100, seconds=14, timeout_ms=4000),
    faults=[RandomFaults(faults=(Kill("one"),), windows=6, from_s=1, to_s=11, shortest_s=0.3, longest_s=0.8)],
    checks=CHECKS,
    slos=["availability >= 95%"],
    nightly=True,
)
