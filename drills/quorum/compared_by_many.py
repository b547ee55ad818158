"""Many compare and set two keys at once over slow links, as one coordinator after another is cut off for a moment."""

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
    workload=Registers(keys=2, writes=0.1, compare_and_sets=0.65, rivals=6),
    load=Load(rate=200, clients=40, seconds=7),
    faults=[
        Latency("all", delay_ms=20, jitter_ms=20).between(0.5, 6),
        Latency("n1>n2 n1>n3", delay_ms=60, jitter_ms=30).between(0.5, 6),
        *(Partition(f"n{1 + turn % 3}").between(1.4 + 0.6 * turn, 1.8 + 0.6 * turn) for turn in range(7)),
    ],
    checks=[linearizable],
    slos=["availability >= 50%"],
    nightly=True,
)
