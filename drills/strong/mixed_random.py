"""One replica after another is killed, frozen, slowed or cut off, as the seed decides."""

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
from systems.strong import Strong
from workloads.registers import Registers

drill = Drill(
    system=Strong(replicas=3),
    workload=Registers(keys=8, writes=0.5),
    load=Load(rate=150, clients=30, seconds=10),
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
    slos=["availability >= 40%"],
    nightly=True,
)
