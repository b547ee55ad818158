"""Each of five replicas reaches two others: each has a majority, and no two have the same one."""

from __future__ import annotations

from faults.majority_ring import MajorityRing
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=5, read=3, write=3),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=80, clients=20, seconds=7),
    faults=[MajorityRing().between(1, 3)],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 80%", "recovery < 5s"],
    nightly=True,
)
