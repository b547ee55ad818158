"""Of five replicas a write waits for two and a read for four: the two that have a write are slow, then one is killed."""

from __future__ import annotations

from faults.kill import Kill
from faults.latency import Latency
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=5, read=4, write=2),
    workload=Registers(keys=6, writes=0.5),
    load=Load(rate=150, clients=20, seconds=8),
    faults=[
        Latency("n1>n2", delay_ms=60).between(0.5, 5),
        Latency("n3>n2", delay_ms=30).between(0.5, 5),
        Kill("n2").when(answering="/replica", nth=30, from_s=1.5, for_s=1),
        Kill("n4").when(sent="/replica", nth=40, from_s=3.2, for_s=0.8),
    ],
    checks=[linearizable, nothing_lost, replicas_return],
    slos=["p50 < 150ms", "availability >= 95%"],
    nightly=True,
)
