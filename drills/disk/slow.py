"""One node's disk takes a tenth of a second for every sync; the other two are a majority without it."""

from __future__ import annotations

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
        SlowDisk("one", delay_ms=100).between(1.5, 4.5),
    ],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 90%"],
    nightly=True,
)
