"""A Cassandra node that is cut off answers reads at ONE from what it holds: the drill must catch it serving stale values."""

from __future__ import annotations

from faults.partition import Partition
from harness.checkers.linearizable import linearizable
from harness.model.drill import Drill
from harness.model.load import Load
from systems.foreign.cassandra import Cassandra
from workloads.registers import Registers

drill = Drill(
    system=Cassandra(consistency="ONE"),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=60, clients=12, seconds=8, sticky=True),
    faults=[Partition("one").between(3, 6)],
    checks=[linearizable],
    caught_by=linearizable,
    nightly=True,
)
