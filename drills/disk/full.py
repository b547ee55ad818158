"""The disks of a majority are full for a while: writes are refused, reads go on, and nothing half-written stays behind."""

from __future__ import annotations

from faults.disk_full import DiskFull
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
    load=Load(rate=200, clients=20, seconds=6),
    faults=[
        DiskFull("majority").between(1.5, 3),
        Kill("all").between(4, 4.5),
    ],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 50%"],
    nightly=True,
)
