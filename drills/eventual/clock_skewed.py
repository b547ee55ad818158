"""Clocks are wrong, and last-writer-wins loses acknowledged writes: the drill must find this known weakness.

A partition delays replication, so a write with the slow clock does not know of an earlier one with the fast clock, and loses.
"""

from __future__ import annotations

from faults.clock_skew import ClockSkew
from faults.partition import Partition
from harness.checkers.converges import converges
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.eventual import Eventual
from workloads.registers import Registers

drill = Drill(
    system=Eventual(repaired_reads=0, anti_entropy_s=2.0),
    workload=Registers(keys=100, writes=0.5),
    load=Load(rate=200, clients=20, seconds=5),
    faults=[
        Partition("n1").between(1, 4.7),
        ClockSkew("n1", by_ms=1500).between(1.2, 4.3),
    ],
    checks=[nothing_lost, converges],
    caught_by=nothing_lost,
    nightly=True,
)
