"""A node that no other reaches is to join while a voter is down: it must not be counted before it has caught up."""

from __future__ import annotations

from faults.hand_over import HandOver
from faults.kill import Kill
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
    system=Raft(replicas=3, spares=1),
    workload=Registers(keys=10, writes=0.4, compare_and_sets=0.1),
    load=Load(rate=250, clients=40, seconds=7),
    faults=[
        HandOver("n3").between(0.3, 0.4),
        Partition("n4").between(0.5, 4),
        AddMember("n4").between(1, 6.5),
        Kill("n3").between(1.8, 3.8),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety],
    slos=["p50 < 100ms", "availability >= 98%"],
    nightly=True,
)
