"""A replica is down for longer than its peers keep hints, and longer than they keep tombstones that all replicas have had.

Anti-entropy has to bring it the writes and deletes that it missed, and deleted keys must not come back.
"""

from __future__ import annotations

from faults.kill import Kill
from harness.checkers.converges import converges
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.eventual import Eventual
from workloads.registers import Registers

drill = Drill(
    system=Eventual(hints_s=0.5, grace_s=1, repaired_reads=0),
    workload=Registers(keys=150, writes=0.3, deletes=0.2),
    load=Load(rate=200, clients=20, seconds=5),
    faults=[Kill("one").between(1, 4.4)],
    checks=[converges, nothing_lost],
    slos=["p50 < 50ms", "availability >= 95%"],
    nightly=True,
)
