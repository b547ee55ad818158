"""Reads that etcd answers without asking its leader: a member that is cut off must be caught serving what is out of date."""

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
