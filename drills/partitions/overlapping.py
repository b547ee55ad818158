"""Replicas are frozen, cut off and slow, each fault at its own rate, two or three at a time; then all faults end."""

from __future__ import annotations

from faults.latency import Latency
from faults.partition import Partition
from faults.pause import Pause
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.composition import PoissonFaults
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=5, read=3, write=3),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=80, clients=20, seconds=7),
    faults=[
        PoissonFaults(
            per_minute={Pause("one"): 25, Partition("one"): 25, Latency("one", delay_ms=150): 25},
            from_s=0.5,
            quiet_s=2,
            shortest_s=0.6,
            longest_s=1.5,
        ),
    ],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 30%"],
    nightly=True,
)
