"""Every link to a replica has a heavy-tailed latency: the slowest replica asked decides, so a quorum must not wait for all."""

from __future__ import annotations

from faults.heavy_tailed_latency import HeavyTailedLatency
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=150, clients=100, seconds=6),
    faults=[HeavyTailedLatency("all", least_ms=5, exponent=1.5, most_ms=300).between(1, 4)],
    checks=[linearizable, nothing_lost],
    slos=["p50 < 100ms", "availability >= 98%", "recovery < 2s"],
    nightly=True,
)
