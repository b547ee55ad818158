"""Clients move to replicas that lag: each still reads its own writes and never older values, or is refused."""

from __future__ import annotations

from faults.latency import Latency
from faults.partition import Partition
from harness.checkers.converges import converges
from harness.checkers.monotonic_reads import monotonic_reads
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.read_your_writes import read_your_writes
from harness.model.drill import Drill
from harness.model.load import Load
from systems.eventual import Eventual
from workloads.registers import Registers

drill = Drill(
    system=Eventual(sessions=True, repaired_reads=0),
    workload=Registers(keys=6, writes=0.4),
    load=Load(rate=200, clients=30, seconds=6),
    faults=[
        Partition("n1").between(1, 4.5),
        Latency("n2>n3 n3>n2", delay_ms=200).between(0.5, 5),
        Partition("client>n1").flapping(1.5, 4.5, on_s=0.3, off_s=0.4),
    ],
    checks=[read_your_writes, monotonic_reads, converges, nothing_lost],
    slos=["p50 < 200ms", "availability >= 60%"],
    nightly=True,
)
