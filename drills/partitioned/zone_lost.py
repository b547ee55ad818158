"""All nodes of one of three zones die at once: each key has its two other replicas in other zones."""

from __future__ import annotations

from faults.kill import Kill
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_owner import one_owner
from harness.model.drill import Drill
from harness.model.load import Load
from systems.partitioned import Partitioned
from workloads.registers import Registers

drill = Drill(
    system=Partitioned(members=6, spares=0, replicas=3, zones=3, partitions=24),
    workload=Registers(keys=40, writes=0.5),
    load=Load(rate=200, clients=40, seconds=6),
    faults=[Kill("n1 n4").between(1, 5.5)],
    checks=[linearizable, nothing_lost, one_owner],
    slos=["availability >= 95%"],
    nightly=True,
)
