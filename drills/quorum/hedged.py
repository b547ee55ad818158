"""Reads ask only as many replicas as they need, one of which is slow: they ask the third one before clients notice."""

from __future__ import annotations

from faults.latency import Latency
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2, hedge_ms=20),
    workload=Registers(keys=10, writes=0.1),
    load=Load(rate=100, clients=40, seconds=6),
    faults=[Latency("n2>n1 n3>n1", delay_ms=400).between(0.5, 5.9)],
    checks=[linearizable, nothing_lost],
    slos=["p50 < 60ms", "p90 < 90ms", "availability >= 99%"],
    nightly=True,
)
