"""The majority changes: one replica is cut off, a second one dies and comes back, then the third is cut off instead.

Then only the replica that died can still have what the first majority acknowledged. Logs are small, and compacted all the time,
on slow disks: much arrives meanwhile.
"""

from __future__ import annotations

from faults.kill import Kill
from faults.partition import Isolate
from faults.slow_disk import SlowDisk
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2, compact_at_kib=4),
    workload=Registers(keys=60, writes=0.3),
    load=Load(rate=250, clients=60, seconds=11),
    faults=[
        *(SlowDisk(node, delay_ms=15).between(0.4, 7.6) for node in ("n1", "n2", "n3")),
        Isolate("n3").between(0.5, 2.2),
        Kill("n1").between(1.9, 2.1),
        Isolate("n2").between(2.3, 4),
        Kill("n3").between(3.7, 3.9),
        Isolate("n1").between(4.1, 5.8),
        Kill("n2").between(5.5, 5.7),
        Isolate("n3").between(5.9, 7.6),
    ],
    checks=[linearizable, nothing_lost, replicas_return],
    slos=["p50 < 50ms", "availability >= 85%"],
    nightly=True,
)
