"""Deleted sets are added to again when their tombstones are gone, except on a node that cannot tell the others of them."""

from __future__ import annotations

from faults.partition import Partition
from harness.checkers.converges import converges
from harness.checkers.set_full import set_full
from harness.model.drill import Drill
from harness.model.load import Load
from systems.eventual import Eventual
from workloads.sets import Sets

drill = Drill(
    system=Eventual(resolve="siblings", grace_s=1),
    workload=Sets(keys=150, adds=0.3, deletes=0.2),
    load=Load(rate=150, clients=20, seconds=8),
    faults=[Partition("n2>n1 n2>n3").between(1, 7)],
    checks=[set_full, converges],
    slos=["p50 < 80ms", "availability >= 99%"],
    nightly=True,
)
