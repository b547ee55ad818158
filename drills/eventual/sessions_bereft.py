"""The replica that clients write to dies before any other has heard of it: they are refused, and not shown what was before.

The others agree that there is nothing newer. That is no answer to a session that has seen more.
"""

from __future__ import annotations

from faults.kill import Kill
from faults.latency import Latency
from harness.checkers.converges import converges
from harness.checkers.monotonic_reads import monotonic_reads
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.read_your_writes import read_your_writes
from harness.model.drill import Drill
from harness.model.load import Load
from systems.eventual import Eventual
from workloads.registers import Registers

drill = Drill(
    system=Eventual(sessions=True),
    workload=Registers(keys=30, writes=0.4),
    load=Load(rate=250, clients=15, seconds=8),
    faults=[
        Latency("n1>n2 n1>n3", delay_ms=300).between(0.5, 7.7),
        *(Kill("n1").between(start_s, start_s + 0.4) for start_s in (1, 1.9, 2.8, 3.7, 4.6, 5.5, 6.4)),
    ],
    checks=[read_your_writes, monotonic_reads, converges, nothing_lost],
    slos=["p50 < 200ms", "availability >= 60%"],
    nightly=True,
)
