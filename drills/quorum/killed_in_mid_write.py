"""Coordinators die in mid-write: after asking for versions, with one replica informed, and with all informed but no answer."""

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
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=3, writes=0.7),
    load=Load(rate=250, clients=40, seconds=7.5),
    faults=[
        Latency("n1>n3", delay_ms=40).between(0.5, 6),
        Kill("n1").when(sent="/replica", nth=80, from_s=1, for_s=0.4),
        Kill("n2").when(heard="/replica", nth=80, from_s=2.2, for_s=0.4),
        Kill("n1").when(answering="/kv/", nth=40, from_s=3.4, for_s=0.4),
        Kill("n3").when(answering="/replica", nth=80, from_s=4.6, for_s=0.4),
    ],
    checks=[linearizable, nothing_lost, replicas_return],
    slos=["p99 < 700ms", "availability >= 93%"],
)
