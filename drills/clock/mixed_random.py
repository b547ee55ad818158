"""Clocks are wrong, run fast, and jump back and forth, as the seed decides."""

from __future__ import annotations

from faults.clock_drift import ClockDrift
from faults.clock_jump import ClockJump
from faults.clock_skew import ClockSkew
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.composition import RandomFaults
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=200, clients=20, seconds=6),
    faults=[
        RandomFaults(
            faults=(
                ClockSkew("minority", by_ms=700, must_be_read=False),
                ClockDrift("majority", parts_per_million=-400_000, must_be_read=False),
                ClockJump("one", by_ms=-800, every_ms=100, must_be_read=False),
            ),
            windows=4,
            from_s=0.5,
            to_s=5.5,
            shortest_s=0.6,
            longest_s=1.2,
        ),
    ],
    checks=[linearizable, nothing_lost],
    slos=["p99 < 1s", "availability >= 99%"],
    nightly=True,
)
