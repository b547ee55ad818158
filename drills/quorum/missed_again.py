"""One replica behind slow links misses writes again and again: older ones are handed over to it as it misses newer ones."""

from __future__ import annotations

from faults.latency import Latency
from faults.partition import Isolate
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=1, write=2, repair_every_s=None),
    workload=Registers(keys=12, writes=0.6),
    load=Load(rate=90, clients=18, seconds=10),
    faults=[
        Latency("n3", delay_ms=60, jitter_ms=30).between(0.5, 6),
        Isolate("client>n3").between(0.8, 6.5),
        Isolate("n3").between(1, 1.6),
        Isolate("n3").between(2, 2.6),
        Isolate("n3").between(3, 3.6),
        Isolate("n3").between(4, 4.6),
        Isolate("n3").between(5, 5.6),
    ],
    checks=[replicas_return],
    slos=["p50 < 60ms", "availability >= 97%", "staleness max < 700ms"],
    nightly=True,
)
