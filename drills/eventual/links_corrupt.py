"""Every link between nodes flips bits: messages have checksums, so all nodes end with the values that were written."""

from __future__ import annotations

from faults.corrupt_bytes import CorruptBytes
from harness.checkers.converges import converges
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.eventual import Eventual
from workloads.registers import Registers

drill = Drill(
    system=Eventual(),
    workload=Registers(keys=300, writes=0.5),
    load=Load(rate=200, clients=20, seconds=4),
    faults=[
        CorruptBytes("n1>n2 n2>n1 n1>n3 n3>n1 n2>n3 n3>n2", rate=0.002).between(0.2, 3.8),
    ],
    checks=[converges, nothing_lost],
    slos=["availability >= 99%"],
    nightly=True,
)
