"""A follower that was cut off for a while comes back: the leader that the others kept must stay."""

from __future__ import annotations

from faults.hand_over import HandOver
from faults.partition import Partition
from harness.checkers.leader_undisturbed import leader_undisturbed
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
    load=Load(rate=250, clients=40, seconds=7),
    faults=[
        HandOver("n1").between(0.8, 0.9),
        Partition("n3").between(1.5, 3),
        Partition("n2").between(3.8, 5.3),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, state_machine_safety, leader_undisturbed],
    slos=["p50 < 50ms", "availability >= 99%"],
    nightly=True,
)
