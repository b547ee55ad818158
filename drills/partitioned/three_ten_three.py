"""Seven nodes join three, one soon after the other, and leave again."""

from __future__ import annotations

from faults.join import Join
from faults.leave import Leave
from harness.checkers.linearizable import linearizable
from harness.checkers.moved_share import moved_share
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_owner import one_owner
from harness.model.drill import Drill
from harness.model.load import Load
from systems.partitioned import Partitioned
from workloads.registers import Registers

drill = Drill(
    system=Partitioned(members=3, spares=7, moves_at_once=10),
    workload=Registers(keys=60, writes=0.5),
    load=Load(rate=120, clients=20, seconds=14),
    faults=[
        *(Join(f"n{number}").between(0.5 + 0.3 * (number - 4), 6.5) for number in range(4, 11)),
        *(Leave(f"n{number}").between(7 + 0.3 * (number - 4), 13.5) for number in range(4, 11)),
    ],
    checks=[linearizable, nothing_lost, one_owner, moved_share],
    slos=["p99 < 400ms", "availability >= 98%"],
    nightly=True,
)
