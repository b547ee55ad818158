"""Replicas whose logs are small write them anew all the time, and primaries die with clients not answered."""

from __future__ import annotations

from faults.kill import Kill
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.strong import Strong
from workloads.registers import Registers

drill = Drill(
    system=Strong(replicas=3, compact_at_kib=2),
    workload=Registers(keys=2, writes=0.8),
    load=Load(rate=200, clients=40, seconds=6.5),
    faults=[
        Kill("n1").when(answering="/kv/", nth=60, from_s=1, for_s=0.5),
        Kill("n2").when(answering="/kv/", nth=60, from_s=2.6, for_s=0.5),
        Kill("n3").when(answering="/kv/", nth=60, from_s=2.6, for_s=0.5),
    ],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 50%"],
    nightly=True,
)
