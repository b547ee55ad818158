"""One coordinator after another is heard and hears nothing as it compares and sets: others finish what it proposed."""

from __future__ import annotations

from faults.latency import Latency
from faults.partition import Partition
from harness.checkers.linearizable import linearizable
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=3, writes=0.03, compare_and_sets=0.6, deletes=0.02, rivals=4),
    load=Load(rate=120, clients=40, seconds=7),
    faults=[
        Latency("all", delay_ms=30, jitter_ms=30).between(0.5, 6),
        Partition("n1", direction="in").between(1.2, 1.7),
        Partition("n2", direction="in").between(2.1, 2.6),
        Partition("n3", direction="in").between(3.0, 3.5),
        Partition("n1", direction="in").between(3.9, 4.4),
        Partition("n2", direction="in").between(4.8, 5.3),
    ],
    checks=[linearizable],
    slos=["availability >= 50%"],
    nightly=True,
)
