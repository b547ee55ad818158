"""Clocks are as wrong as in eventual/clock_skewed; siblings do not depend on clocks, so nothing is lost."""

from __future__ import annotations

from faults.clock_skew import ClockSkew
from faults.partition import Partition
from harness.checkers.converges import converges
from harness.checkers.set_full import set_full
from harness.model.drill import Drill
from harness.model.load import Load
from systems.eventual import Eventual
from workloads.sets import Sets

drill = Drill(
    system=Eventual(resolve="siblings", anti_entropy_s=2.0),
    workload=Sets(keys=6, adds=0.4),
    load=Load(rate=150, clients=20, seconds=5),
    faults=[
        Partition("n1").between(1, 4.5),
        ClockSkew("n1", by_ms=1500, must_be_read=False).between(1.2, 4.3),
    ],
    checks=[set_full, converges],
    slos=["p50 < 80ms", "availability >= 99%"],
    nightly=True,
)
