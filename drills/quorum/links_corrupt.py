"""Every link between nodes flips bits: messages have checksums, so no replica takes another value."""

from __future__ import annotations

from faults.corrupt_bytes import CorruptBytes
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=200, clients=20, seconds=4),
    faults=[
        CorruptBytes("n1>n2 n2>n1 n1>n3 n3>n1 n2>n3 n3>n2", rate=0.001).between(0.4, 3.4),
    ],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 80%"],
    nightly=True,
)
