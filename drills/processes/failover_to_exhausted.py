"""A node dies, and one that its clients turn to can accept no new connection: they ask the next one."""

from __future__ import annotations

from faults.descriptor_exhaustion import DescriptorExhaustion
from faults.kill import Kill
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
    faults=[DescriptorExhaustion("n2").between(1, 4), Kill("n1").between(1.5, 3)],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 90%", "recovery < 4s"],
    nightly=True,
)
