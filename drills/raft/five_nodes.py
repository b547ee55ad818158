"""Five nodes need any three: the leader and another one are cut off together, then two are killed."""

from __future__ import annotations

from faults.kill import Kill
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
    system=Raft(replicas=5),
    workload=Registers(keys=10, writes=0.4, compare_and_sets=0.1),
    load=Load(rate=200, clients=40, seconds=8),
    faults=[
        Partition("minority").between(1.2, 2.8),
        Kill("minority").between(3.6, 5),
        Kill("leader").between(5.6, 6),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety],
    slos=["availability >= 70%"],
    nightly=True,
)
