"""Each node becomes the leader in turn because the one before hands leadership over."""

from __future__ import annotations

from faults.hand_over import HandOver
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
        HandOver("n1").between(1, 1.1),
        HandOver("n2").between(2, 2.1),
        HandOver("n3").between(3, 3.1),
        HandOver("n1").between(4, 4.1),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety],
    slos=["p50 < 50ms", "availability >= 95%"],
    nightly=True,
)
