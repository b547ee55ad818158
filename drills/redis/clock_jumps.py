"""A real redis-server's clock jumps an hour back and forth, and then runs fast: its answers are still right."""

from __future__ import annotations

from faults.clock_drift import ClockDrift
from faults.clock_jump import ClockJump
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.foreign.redis import Redis
from workloads.registers import Registers

drill = Drill(
    system=Redis(fake_clock=True),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=200, clients=10, seconds=5),
    faults=[
        ClockJump("redis", by_ms=-3_600_000).between(1, 2.5),
        ClockDrift("redis", parts_per_million=1e6).between(3, 4),
    ],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 99%"],
    nightly=True,
)
