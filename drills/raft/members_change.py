"""A voter leaves, then the leader leaves, then a new node joins, all under load."""

from __future__ import annotations

from faults.members import AddMember, RemoveMember
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
    system=Raft(replicas=3, spares=1),
    workload=Registers(keys=10, writes=0.4, compare_and_sets=0.1),
    load=Load(rate=250, clients=40, seconds=8),
    faults=[
        AddMember("n4").between(1, 6.5),
        RemoveMember("n1").between(2, 3.5),
        RemoveMember("leader").between(4.2, 5.5),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety],
    slos=["p50 < 50ms", "availability >= 80%"],
    nightly=True,
)
