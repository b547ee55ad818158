"""A replica finds its log damaged while it alone has some writes: it keeps these, and learns everything else anew.

It reaches no other replica for so long that it takes writes again before it has learned anything. It counts them under a new
name: otherwise the others would mistake them for known ones.
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
    load=Load(rate=150, clients=20, seconds=7),
    faults=[
        Partition("n1").between(1, 5.8),
        Kill("n1").between(2, 2.4),
        FlipBits("n1", file="entries.log", bits=400).between(2.1, 2.3),
    ],
    checks=[set_full, converges],
    slos=["availability >= 70%"],
    nightly=True,
)
