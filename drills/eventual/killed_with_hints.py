"""A replica is cut off; another one dies while it has hints for it, and delivers them when both are back.

Anti-entropy and read repair are off, so only hints can bring the missed writes.
"""

from __future__ import annotations

from faults.kill import Kill
from faults.partition import Isolate, Partition
from harness.checkers.converges import converges
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.eventual import Eventual
from workloads.registers import Registers

drill = Drill(
    system=Eventual(anti_entropy_s=None, repaired_reads=0),
    workload=Registers(keys=200, writes=0.5),
    load=Load(rate=250, clients=30, seconds=6),
    faults=[Isolate("n3").between(1, 3.5), Partition("n1").between(2, 4), Kill("n1").between(3, 3.4)],
    checks=[converges, nothing_lost],
    slos=["p50 < 50ms", "availability >= 85%"],
    nightly=True,
)
