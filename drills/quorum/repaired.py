"""One replica after another misses writes, which no node keeps for it, and all find out what they lack."""

from __future__ import annotations

from faults.kill import Kill
from faults.partition import Isolate
from harness.checkers.converges import converges
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=1, write=2, hinted_handoff=False, repair_every_s=0.4),
    workload=Registers(keys=60, writes=0.4),
    load=Load(rate=40, clients=12, seconds=11),
    faults=[
        Isolate("n3").between(1, 3),
        Isolate("n1").between(3.4, 5.4),
        Kill("n2").between(5.8, 6.8),
    ],
    checks=[converges, replicas_return],
    slos=["p50 < 60ms", "availability >= 95%"],
    nightly=True,
)
