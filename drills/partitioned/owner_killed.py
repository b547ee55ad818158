"""An owner dies while the coordinator is away: when it is back, it knows by itself what it has to answer for."""

from __future__ import annotations

from faults.join import Join
from faults.kill import Kill
from harness.checkers.linearizable import linearizable
from harness.checkers.moved_share import moved_share
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_owner import one_owner
from harness.model.drill import Drill
from harness.model.load import Load
from systems.partitioned import Partitioned
from workloads.registers import Registers

drill = Drill(
    system=Partitioned(members=3, spares=1),
    workload=Registers(keys=60, writes=0.5),
    load=Load(rate=200, clients=40, seconds=6),
    faults=[Join("n4").between(0.5, 5.8), Kill("coordinator").between(2.2, 5.5), Kill("n2").between(2.5, 2.8)],
    checks=[linearizable, nothing_lost, one_owner, moved_share],
    slos=["availability >= 96%"],
    nightly=True,
)
