"""Values are deleted while they are on their way to a replica, which is then away for longer than tombstones are kept."""

from __future__ import annotations

from faults.latency import Latency
from faults.partition import Partition
from harness.checkers.converges import converges
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.eventual import Eventual
from workloads.registers import Registers

drill = Drill(
    system=Eventual(replicas=2, grace_s=1),
    workload=Registers(keys=200, writes=0.4, deletes=0.4),
    load=Load(rate=200, clients=20, seconds=9),
    faults=[
        Latency("n1>n2 n2>n1", delay_ms=250).between(0.5, 8.5),
        *(Partition("n2").between(start_s, start_s + 1.7) for start_s in (1, 3.6, 6.2)),
    ],
    checks=[converges, nothing_lost],
    slos=["p50 < 400ms", "availability >= 95%"],
    nightly=True,
)
