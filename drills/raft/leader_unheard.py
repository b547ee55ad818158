"""A follower with the whole log hears the other one and not the leader, and asks for votes: they keep the leader."""

from __future__ import annotations

from faults.hand_over import HandOver
from faults.partition import Isolate
from harness.checkers.leader_undisturbed import leader_undisturbed
from harness.checkers.linearizable import linearizable
from harness.checkers.log_matching import log_matching
from harness.checkers.one_leader_per_term import one_leader_per_term
from harness.model.drill import Drill
from harness.model.load import Load
from systems.raft import Raft
from workloads.registers import Registers

drill = Drill(
    system=Raft(replicas=3),
    workload=Registers(keys=4, writes=0.01),
    load=Load(rate=100, clients=20, seconds=7),
    faults=[
        HandOver("n1").between(0.8, 0.9),
        Isolate("n1>n3").between(1.5, 3.5),
        Isolate("n1>n2").between(4, 6),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_undisturbed],
    slos=["p50 < 50ms", "availability >= 99%"],
    nightly=True,
)
