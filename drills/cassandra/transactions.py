"""One of three Cassandra nodes is cut off: lightweight transactions stay linearizable, even if clocks disagree."""

from __future__ import annotations

from faults.partition import Partition
from harness.checkers.linearizable import linearizable
from harness.model.drill import Drill
from harness.model.load import Load
from systems.foreign.cassandra import Cassandra
from workloads.registers import Registers

drill = Drill(
    system=Cassandra(transactions=True),
    workload=Registers(keys=20, writes=0.3, compare_and_sets=0.2),
    load=Load(rate=25, clients=12, seconds=10),
    faults=[Partition("one").between(3, 7)],
    checks=[linearizable],
    slos=["availability >= 50%"],
    nightly=True,
)
