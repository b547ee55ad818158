"""One of three Cassandra nodes is cut off: at QUORUM all stays linearizable, as long as the clocks agree."""

from __future__ import annotations

from faults.partition import Partition
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.foreign.cassandra import Cassandra
from workloads.registers import Registers

drill = Drill(
    system=Cassandra(),
    workload=Registers(keys=20, writes=0.5),
    load=Load(rate=60, clients=12, seconds=10),
    faults=[Partition("one").between(3, 7)],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 50%"],
    nightly=True,
)
