"""Clients read and write three replicas, without faults: the replicas hardly lag, and agree in the end."""

from __future__ import annotations

from harness.checkers.converges import converges
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.eventual import Eventual
from workloads.registers import Registers

drill = Drill(
    system=Eventual(),
    workload=Registers(keys=20, writes=0.4),
    load=Load(rate=300, clients=20, seconds=5),
    checks=[converges, nothing_lost],
    slos=["p50 < 50ms", "availability >= 99.9%", "staleness p99 < 200ms"],
    nightly=True,
)
