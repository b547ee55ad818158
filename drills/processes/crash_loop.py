"""All replicas crash again and again, and restart at once: what was acknowledged must survive every time."""

from __future__ import annotations

from faults.crash_loop import CrashLoop
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
    faults=[CrashLoop("all", every_s=0.6).between(1, 4)],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 60%", "recovery < 4s"],
    nightly=True,
)
