"""A node that answers for a third of the keys is cut off from the other replicas, but not from clients; then it dies."""

from __future__ import annotations

from faults.kill import Kill
from faults.latency import Latency
from faults.partition import Isolate
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_owner import one_owner
from harness.model.drill import Drill
from harness.model.load import Load
from systems.partitioned import Partitioned
from workloads.registers import Registers

drill = Drill(
    system=Partitioned(members=3, spares=0, replicas=3, partitions=12),
    workload=Registers(keys=24, writes=0.5),
    load=Load(rate=200, clients=100, seconds=8, timeout_ms=2500),
    faults=[
        # Operations take some time, and so many of them have begun to store when a cut begins: it is unknown whether these
        # have taken effect. What n1 stored is on no majority, and may still be read.
        Latency("n1>n2 n1>n3", delay_ms=40, jitter_ms=10).between(0.5, 5.5),
        Isolate("n1>n2 n1>n3 n2>n1 n3>n1").between(1, 2.6),
        Isolate("n1>n2 n1>n3 n2>n1 n3>n1").between(3.4, 5),
        Kill("n1").between(5.5, 7),
    ],
    checks=[linearizable, nothing_lost, one_owner],
    slos=["availability >= 70%"],
    nightly=True,
)
