"""Five random faults hit three etcd members, including a kill of all at once: all stays linearizable."""

from __future__ import annotations

from faults.kill import Kill
from faults.latency import Latency
from faults.partition import Isolate, Partition
from faults.pause import Pause
from harness.checkers.linearizable import linearizable
from harness.model.composition import RandomFaults
from harness.model.drill import Drill
from harness.model.load import Load
from systems.foreign.etcd import Etcd
from workloads.registers import Registers

drill = Drill(
    system=Etcd(),
    workload=Registers(keys=20, writes=0.3, compare_and_sets=0.2, deletes=0.05),
    load=Load(rate=100, clients=10, seconds=14),
    faults=[
        RandomFaults(
            faults=(
                Kill("one"),
                Kill("all"),
                Pause("one"),
                Isolate("one"),
                Partition("leader"),
                Partition("one", direction="out"),
                Latency("one", delay_ms=300),
            ),
            windows=5,
            from_s=1,
            to_s=12,
        )
    ],
    checks=[linearizable],
    nightly=True,
)
