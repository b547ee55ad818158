"""A node that was down comes back just as the leader dies: it lacks acknowledged entries, and must not be elected.

The other node, which has them, asks for votes late, so the one that lacks them asks first.
"""

from __future__ import annotations

from faults.hand_over import HandOver
from faults.kill import Kill
from faults.latency import Latency
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
    workload=Registers(keys=10, writes=0.4, compare_and_sets=0.1),
    load=Load(rate=250, clients=40, seconds=8),
    faults=[
        HandOver("n1").between(0.5, 0.6),
        Kill("n3").between(1, 2.3),
        Latency("n2>n3", delay_ms=600).between(2.1, 3.7),
        Kill("n1").between(2.25, 3.7),
        HandOver("n2").between(4.3, 4.4),
        Kill("n1").between(4.6, 5.8),
        Latency("n3>n1", delay_ms=600).between(5.6, 7.2),
        Kill("n2").between(5.75, 7.2),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety],
    slos=["availability >= 50%"],
    nightly=True,
)
