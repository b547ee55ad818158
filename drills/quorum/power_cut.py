"""All machines lose power at once, twice, while nothing else is wrong: what was acknowledged was synced."""

from __future__ import annotations

from faults.power_loss import PowerLoss
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=30, writes=0.5),
    load=Load(rate=200, clients=20, seconds=6),
    faults=[PowerLoss("all").between(1.5, 2), PowerLoss("all").between(4, 4.5)],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 60%"],
    nightly=True,
)
