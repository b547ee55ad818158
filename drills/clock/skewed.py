"""One node's clock is fast and another's is slow; a store that trusts clocks loses writes."""

from __future__ import annotations

from faults.clock_skew import ClockSkew
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=200, clients=20, seconds=6),
    faults=[
        ClockSkew("n1", by_ms=900, must_be_read=False).between(1, 4.5),
        ClockSkew("n2", by_ms=-600, must_be_read=False).between(2, 5),
    ],
    checks=[linearizable, nothing_lost],
    slos=["p99 < 1s", "availability >= 99%"],
    nightly=True,
)
