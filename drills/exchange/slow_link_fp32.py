"""A link between two ranks carries 500 kB/s, a tenth of its normal rate: every step of an all-reduce waits for it."""

from __future__ import annotations

from drills.exchange._checks import AGREE
from faults.shared_bandwidth import SharedBandwidth
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3, exchange="allreduce"),
    workload=Steps(),
    load=Load(rate=10, clients=60, seconds=12, timeout_ms=6000),
    faults=[SharedBandwidth("rank0>rank1", kb_per_s=500).between(2, 11)],
    checks=AGREE,
    slos=["availability >= 99%", "stall < 5s"],
    nightly=True,
)
