"""One of three replicas gets 5% of a CPU: it answers slowly, and the quorum need not wait for it."""

from __future__ import annotations

from faults.slow_cpu import SlowCpu
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=200, clients=20, seconds=7),
    faults=[SlowCpu("one", share=0.05).between(1.5, 4.5)],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 90%", "recovery < 5s"],
    nightly=True,
)
