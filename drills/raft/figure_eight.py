"""The leader dies when one follower has entries that the other lacks: the next leader has to commit entries of an old term.

It sends them a few at a time, so that a majority has some of them before it has one of the new term.
"""

from __future__ import annotations

from faults.hand_over import HandOver
from faults.kill import Kill
from faults.latency import Latency
from faults.partition import Isolate
from harness.checkers.commits_by_own_term import commits_by_own_term
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
    system=Raft(replicas=3, batch=1, in_flight_kib=1),
    workload=Registers(keys=10, writes=0.6),
    load=Load(rate=250, clients=40, seconds=8),
    faults=[
        HandOver("n1").between(0.5, 0.6),
        Latency("n1>n2", delay_ms=90).between(1, 2),
        Isolate("n1>n3").between(1.5, 2.4),
        Kill("n1").between(1.8, 2.6),
        HandOver("n2").between(3.2, 3.3),
        Latency("n2>n3", delay_ms=90).between(3.6, 4.6),
        Isolate("n2>n1").between(4.1, 5.0),
        Kill("n2").between(4.4, 5.2),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety, commits_by_own_term],
    slos=["availability >= 60%"],
    nightly=True,
)
