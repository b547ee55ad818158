"""All machines lose power at once, then one in the middle of a write: everything acknowledged was synced.

Slow syncs make sure that a write is under way at that moment.
"""

from __future__ import annotations

from faults.power_loss import PowerLoss
from faults.slow_disk import SlowDisk
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=200, clients=20, seconds=6),
    faults=[
        SlowDisk("all", delay_ms=40).between(1.2, 1.5),
        PowerLoss("all").between(1.45, 2.5),
        SlowDisk("n2", delay_ms=40).between(3.1, 3.45),
        PowerLoss("n2", torn=True).between(3.4, 4),
    ],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 60%"],
    nightly=True,
)
