"""A replica's links swallow everything: it is killed meanwhile, and its peers get no sign of that."""

from __future__ import annotations

from faults.kill import Kill
from faults.silent_drop import SilentDrop
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=250, clients=40, seconds=7),
    faults=[SilentDrop("n3").between(1, 3.5), Kill("n3").between(1.5, 2.5)],
    checks=[linearizable, nothing_lost],
    slos=["p50 < 50ms", "availability >= 90%", "recovery < 3s"],
    nightly=True,
)
