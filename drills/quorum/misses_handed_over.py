"""One replica is cut off and dies; when it is back, it receives what it missed before clients read from it alone."""

from __future__ import annotations

from faults.kill import Kill
from faults.partition import Isolate
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=1, write=2, repair_every_s=None),
    workload=Registers(keys=60, writes=0.4),
    load=Load(rate=90, clients=9, seconds=7),
    faults=[
        Isolate("n3").between(1, 3),
        Isolate("client>n3").between(1, 3.8),
        Kill("n3").between(2.2, 2.8),  # what was sent to it before is lost
    ],
    checks=[replicas_return],
    slos=["p50 < 60ms", "availability >= 97%", "staleness max < 700ms"],
    nightly=True,
)
