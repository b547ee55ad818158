"""A link between two ranks carries 500 kB/s, a tenth of its normal rate: training with one-bit gradients hardly slows down."""

from __future__ import annotations

from drills.exchange._checks import AGREE
from faults.shared_bandwidth import SharedBandwidth
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3, exchange="one-bit"),
    workload=Steps(),
    load=Load(rate=10, clients=60, seconds=12, timeout_ms=6000),
    faults=[SharedBandwidth("rank0>rank1", kb_per_s=500).between(2, 11)],
    checks=AGREE,
    slos=["availability >= 99%", "stall < 2s", "goodput >= 35%", "bytes_per_step < 200kB"],
    nightly=True,
)
