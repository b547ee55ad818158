"""Five nodes are split in two, and quorums of stand-ins are checked for more than they promise: reads miss newer values."""

from __future__ import annotations

from faults.partition import Partition
from harness.checkers.linearizable import linearizable
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(size=5, replicas=3, read=2, write=2, sloppy=True),
    workload=Registers(keys=10, writes=0.3),
    load=Load(rate=100, clients=20, seconds=5),
    faults=[Partition("n1 n2").between(1, 4)],
    checks=[linearizable],
    caught_by=linearizable,
    nightly=True,
)
