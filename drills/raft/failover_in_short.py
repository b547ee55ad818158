"""Three seconds with few calls in which the leader is killed: short, so that a simulation gets through many thousand seeds."""

from __future__ import annotations

from faults.kill import Kill
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
    system=Raft(replicas=3),
    workload=Registers(keys=3, writes=0.4, compare_and_sets=0.1, deletes=0.05),
    load=Load(rate=60, clients=12, seconds=3),
    faults=[
        Kill("leader").between(0.7, 1.4),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety],
    slos=["availability >= 60%"],
    nightly=True,
)
