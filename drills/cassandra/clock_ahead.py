"""A Cassandra node's clock runs ahead: the drill must catch the loss of later writes that a quorum acknowledged."""

from __future__ import annotations

from faults.clock_skew import ClockSkew
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.foreign.cassandra import Cassandra
from workloads.registers import Registers

drill = Drill(
    system=Cassandra(fake_clock=True),
    workload=Registers(keys=20, writes=0.5),
    load=Load(rate=40, clients=12, seconds=10),
    faults=[ClockSkew("n1", by_ms=600_000).between(3, 7)],
    checks=[nothing_lost],
    caught_by=nothing_lost,
    nightly=True,
)
