"""Partitions move to two nodes at once, and one of these dies for long: their moves are given up, and made when it is back."""

from __future__ import annotations

from faults.join import Join
from faults.kill import Kill
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_owner import one_owner
from harness.model.drill import Drill
from harness.model.load import Load
from systems.partitioned import Partitioned
from workloads.registers import Registers

drill = Drill(
    system=Partitioned(members=2, spares=2, replicas=2, partitions=24, batch_kib=1, rate_mb_per_s=0.05, moves_at_once=24),
    workload=Registers(keys=300, writes=0.6),
    load=Load(rate=150, clients=60, seconds=9),
    faults=[
        Join("n3").between(1.5, 8),
        Join("n4").between(1.5, 8),
        Kill("n4").when(heard="/pull", nth=3, from_s=1.5, for_s=3.5),
    ],
    checks=[linearizable, nothing_lost, one_owner],
    slos=["availability >= 93%"],
    nightly=True,
)
