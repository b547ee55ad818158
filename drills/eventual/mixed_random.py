"""One node after another is killed, frozen, slowed, cut off or partitioned, as the seed decides."""

from __future__ import annotations

from faults.kill import Kill
from faults.latency import Latency
from faults.partition import Isolate, Partition
from faults.pause import Pause
from harness.checkers.converges import converges
from harness.checkers.nothing_lost import nothing_lost
from harness.model.composition import RandomFaults
from harness.model.drill import Drill
from harness.model.load import Load
from systems.eventual import Eventual
from workloads.registers import Registers

drill = Drill(
    system=Eventual(grace_s=2),
    workload=Registers(keys=30, writes=0.4, deletes=0.1),
    load=Load(rate=200, clients=20, seconds=8),
    faults=[
        RandomFaults(
            faults=(Kill("one"), Pause("one"), Isolate("one"), Partition("one"), Latency("one", delay_ms=50)),
            windows=4,
            from_s=0.5,
            to_s=7,
            shortest_s=0.5,
            longest_s=1.5,
        ),
    ],
    checks=[converges, nothing_lost],
    slos=["availability >= 60%"],
    nightly=True,
)
