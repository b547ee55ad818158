"""Clients read at a node whose clock is ahead and that no other node hears, and go on to one whose clock is behind.

What they write there has to be newer than all that they have read, however long ago and of whatever key.
"""

from __future__ import annotations

from faults.clock_skew import ClockSkew
from faults.partition import Isolate, Partition
from harness.checkers.converges import converges
from harness.checkers.monotonic_reads import monotonic_reads
from harness.checkers.read_your_writes import read_your_writes
from harness.model.drill import Drill
from harness.model.load import Load
from systems.eventual import Eventual
from workloads.registers import Registers

drill = Drill(
    system=Eventual(sessions=True, repaired_reads=0),
    workload=Registers(keys=6, writes=0.4),
    load=Load(rate=400, clients=9, seconds=6),
    faults=[
        ClockSkew("n1", by_ms=2000).between(0.5, 5.5),
        ClockSkew("n2", by_ms=-2000).between(0.6, 5.4),
        Isolate("n1>n2 n1>n3 n2>n1 n3>n1").flapping(1, 5, on_s=0.8, off_s=0.5),
        Partition("client>n1").flapping(1.4, 5.2, on_s=0.3, off_s=1),
    ],
    checks=[read_your_writes, monotonic_reads, converges],
    slos=["p50 < 100ms", "availability >= 60%"],
    nightly=True,
)
