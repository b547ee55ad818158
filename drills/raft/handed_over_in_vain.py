"""The leader is to hand over to a node that does not answer: in between it goes on leading, and hands over in the end."""

from __future__ import annotations

from faults.hand_over import HandOver
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
    system=Raft(replicas=3),
    workload=Registers(keys=10, writes=0.4, compare_and_sets=0.1),
    load=Load(rate=250, clients=40, seconds=6),
    faults=[
        HandOver("n1").between(0.5, 0.6),
        Partition("n3").between(1, 3.6),
        HandOver("n3").between(1.2, 1.3),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety],
    slos=["p50 < 200ms", "availability >= 70%"],
    nightly=True,
)
