"""Clients compare-and-set, write, delete and read a few keys at once, while coordinators die as they decide."""

from __future__ import annotations

from faults.kill import Kill
from faults.latency import Latency
from harness.checkers.linearizable import linearizable
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=6, writes=0.05, compare_and_sets=0.6, deletes=0.03, rivals=4, unusual=True),
    load=Load(rate=80, clients=12, seconds=8.5),
    faults=[
        Latency("n1", delay_ms=20, jitter_ms=20).between(0.5, 6),
        Kill("n1").when(sent="/replica", nth=60, from_s=1, for_s=0.4),
        Kill("n2").when(heard="/replica", nth=60, from_s=2.2, for_s=0.4),
        Kill("n3").when(answering="/replica", nth=60, from_s=3.4, for_s=0.4),
        Kill("n1").when(synced="entries.log", nth=12, from_s=4.4, for_s=0.4),
    ],
    checks=[linearizable, replicas_return],
    slos=["p90 < 900ms", "availability >= 80%"],
    nightly=True,
)
