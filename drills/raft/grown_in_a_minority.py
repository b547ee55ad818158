"""A leader that is cut off is asked to add two nodes on its side at once: the three would be a majority of five."""

from __future__ import annotations

from faults.hand_over import HandOver
from faults.members import AddMember
from faults.partition import Partition
from harness.checkers.leader_completeness import leader_completeness
from harness.checkers.linearizable import linearizable
from harness.checkers.log_matching import log_matching
from harness.checkers.one_leader_per_term import one_leader_per_term
from harness.checkers.state_machine_safety import state_machine_safety
from harness.model.drill import Drill
from harness.model.load import Load
from systems.raft import Raft
from workloads.registers import Registers

drill = Drill(
    system=Raft(replicas=3, spares=2),
    workload=Registers(keys=10, writes=0.4, compare_and_sets=0.1),
    load=Load(rate=200, clients=40, seconds=8),
    faults=[
        HandOver("n3").between(1, 1.2),
        Partition("n1 n2").between(1.98, 4),
        AddMember("n4").between(2, 6.5),
        AddMember("n5").between(2.02, 6.5),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety],
    slos=["availability >= 50%"],
    nightly=True,
)
