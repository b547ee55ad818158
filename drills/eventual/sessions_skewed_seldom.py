"""Clients move between nodes whose clocks differ by seconds, and write seldom: what they write is seen for long.

So it shows for long, too, if it is ordered before something that its client had read of another key, or some calls ago.
"""

from __future__ import annotations

from faults.clock_skew import ClockSkew
from faults.latency import Latency
from faults.partition import Partition
from harness.checkers.converges import converges
from harness.checkers.monotonic_reads import monotonic_reads
from harness.checkers.read_your_writes import read_your_writes
from harness.model.drill import Drill
from harness.model.load import Load
from systems.eventual import Eventual
from workloads.registers import Registers

drill = Drill(
    system=Eventual(sessions=True, repaired_reads=0),
    workload=Registers(keys=6, writes=0.15),
    load=Load(rate=250, clients=9, seconds=6),
    faults=[
        ClockSkew("n1", by_ms=2000).between(0.5, 5.5),
        ClockSkew("n2", by_ms=-2000).between(0.6, 5.4),
        Latency("n1>n2 n1>n3", delay_ms=200).between(0.5, 5.2),
        Partition("client>n1").flapping(1.5, 5, on_s=0.3, off_s=0.4),
    ],
    checks=[read_your_writes, monotonic_reads, converges],
    slos=["p50 < 50ms", "availability >= 99%"],
    nightly=True,
)
