"""Five nodes are split in two, and clients reach both parts: stand-ins let both go on, and all agree after the partition."""

from __future__ import annotations

from faults.partition import Partition
from harness.checkers.converges import converges
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(size=5, replicas=3, read=2, write=2, sloppy=True, repair_every_s=0.4),
    workload=Registers(keys=30, writes=0.5),
    load=Load(rate=60, clients=20, seconds=11),
    faults=[Partition("n1 n2").between(1, 4)],
    checks=[converges],
    slos=["p50 < 100ms", "availability >= 99%"],
    nightly=True,
)
