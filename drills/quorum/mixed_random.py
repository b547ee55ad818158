"""One node after another is killed, frozen, slowed, cut off or partitioned, as the seed decides."""

from __future__ import annotations

from faults.kill import Kill
from faults.latency import Latency
from faults.partition import Isolate, Partition
from faults.pause import Pause
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.composition import RandomFaults
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=250, clients=20, seconds=10),
    faults=[
        RandomFaults(
            faults=(Kill("one"), Pause("one"), Isolate("one"), Partition("one"), Latency("one", delay_ms=50)),
            windows=4,
            from_s=1,
            to_s=8,
            shortest_s=0.5,
            longest_s=1.5,
        ),
    ],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 60%"],
    nightly=True,
)
