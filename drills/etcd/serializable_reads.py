"""An etcd member that is cut off answers serializable reads, without the leader: the drill must catch it serving stale data."""

from __future__ import annotations

from faults.partition import Partition
from harness.checkers.linearizable import linearizable
from harness.model.drill import Drill
from harness.model.load import Load
from systems.foreign.etcd import Etcd
from workloads.registers import Registers

drill = Drill(
    system=Etcd(serializable_reads=True),
    workload=Registers(keys=5, writes=0.2),
    load=Load(rate=150, clients=12, seconds=7, sticky=True),
    faults=[Partition("one").between(2, 6)],
    checks=[linearizable],
    caught_by=linearizable,
    nightly=True,
)
