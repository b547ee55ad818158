"""Many clients add to a few sets at once on both sides of a partition: concurrent values stay side by side; none is lost."""

from __future__ import annotations

from faults.partition import Partition
from harness.checkers.converges import converges
from harness.checkers.set_full import set_full
from harness.model.drill import Drill
from harness.model.load import Load
from systems.eventual import Eventual
from workloads.sets import Sets

drill = Drill(
    system=Eventual(resolve="siblings"),
    workload=Sets(keys=4, adds=0.5),
    load=Load(rate=150, clients=20, seconds=5),
    faults=[Partition("one").between(1, 3)],
    checks=[set_full, converges],
    slos=["p50 < 80ms", "availability >= 99%"],
    nightly=True,
)
