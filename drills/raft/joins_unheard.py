"""A node that no other reaches is to join a group that has hardly written anything, and a voter dies: it must not be counted.

A log this short makes any node look as if it had nearly all of it.
"""

from __future__ import annotations

from faults.hand_over import HandOver
from faults.kill import Kill
from faults.members import AddMember
from faults.partition import Partition
from harness.checkers.linearizable import linearizable
from harness.checkers.log_matching import log_matching
from harness.checkers.one_leader_per_term import one_leader_per_term
from harness.checkers.state_machine_safety import state_machine_safety
from harness.model.drill import Drill
from harness.model.load import Load
from systems.raft import Raft
from workloads.registers import Registers

drill = Drill(
    system=Raft(replicas=3, spares=1),
    workload=Registers(keys=10, writes=0.1),
    load=Load(rate=60, clients=20, seconds=7),
    faults=[
        HandOver("n1").between(0.2, 0.3),
        Partition("n4").between(0.3, 4),
        AddMember("n4").between(0.6, 6.5),
        Kill("n3").between(1.2, 3.8),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, state_machine_safety],
    slos=["availability >= 97%"],
    nightly=True,
)
