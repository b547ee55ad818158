"""A replica finds its log damaged while it alone has some writes: it keeps these, and learns everything else anew.

From then on it counts its writes under a new name; otherwise the others would mistake its next writes for known ones.
"""

from __future__ import annotations

from faults.flip_bits import FlipBits
from faults.kill import Kill
from faults.partition import Partition
from harness.checkers.converges import converges
from harness.checkers.set_full import set_full
from harness.model.drill import Drill
from harness.model.load import Load
from systems.eventual import Eventual
from workloads.sets import Sets

drill = Drill(
    system=Eventual(resolve="siblings"),
    workload=Sets(keys=30, adds=0.5),
    load=Load(rate=150, clients=20, seconds=6),
    faults=[
        Partition("n1").between(1, 3.5),
        Kill("n1").between(2.5, 3),
        FlipBits("n1", file="entries.log", bits=400).between(2.6, 2.9),
    ],
    checks=[set_full, converges],
    slos=["availability >= 70%"],
    nightly=True,
)
