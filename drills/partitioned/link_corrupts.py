"""The links between old and new owners flip bits: copies, and writes to both owners, have checksums."""

from __future__ import annotations

from faults.corrupt_bytes import CorruptBytes
from faults.join import Join
from harness.checkers.linearizable import linearizable
from harness.checkers.moved_share import moved_share
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_owner import one_owner
from harness.model.drill import Drill
from harness.model.load import Load
from systems.partitioned import Partitioned
from workloads.registers import Registers

drill = Drill(
    system=Partitioned(members=2, spares=1, partitions=16, batch_kib=1, rate_mb_per_s=0.008, moves_at_once=2),
    workload=Registers(keys=300, writes=0.6),
    load=Load(rate=250, clients=40, seconds=7),
    faults=[
        Join("n3").between(1, 6),
        CorruptBytes("n3>n1 n1>n3", rate=0.004).between(0.8, 4),
    ],
    checks=[linearizable, nothing_lost, one_owner, moved_share],
    slos=["availability >= 80%"],
    nightly=True,
)
