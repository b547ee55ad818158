"""The leader finds its log damaged, and is back before the others have elected another one: it must not help the wrong one.

The node that has everything is heard late by the others, so the one that lacks the newest entries asks for votes in between,
in a later term than the one in which the damaged node came back.
"""

from __future__ import annotations

from faults.flip_bits import FlipBits
from faults.hand_over import HandOver
from faults.kill import Kill
from faults.latency import Latency
from faults.partition import Isolate
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
    workload=Registers(keys=30, writes=0.4),
    load=Load(rate=200, clients=40, seconds=8),
    faults=[
        HandOver("n1").between(0.5, 0.6),
        Isolate("n3").between(1.2, 2.1),
        Kill("n1").between(2, 2.25),
        FlipBits("n1", file="raft.log", bits=2000).between(2.05, 2.2),
        Latency("n2>n1 n2>n3", delay_ms=700).between(2.05, 5.5),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety],
    slos=["availability >= 30%"],
    nightly=True,
)
