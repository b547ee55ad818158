"""One of three replicas hears no other node for a while; then no node hears another of them."""

from __future__ import annotations

from faults.partition import Partition
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.composition import FaultSequence
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=120, clients=20, seconds=7),
    faults=[
        FaultSequence(
            faults=[Partition("one", direction="in"), Partition("one", direction="out")], from_s=1, each_s=1.5, gap_s=1
        ),
    ],
    checks=[linearizable, nothing_lost],
    slos=["availability >= 60%"],
    nightly=True,
)
