"""Snapshots go in many pieces to nodes that were away, while links are cut and slow, and while the leader changes midway."""

from __future__ import annotations

from faults.hand_over import HandOver
from faults.latency import Latency
from faults.partition import Isolate, Partition
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
    system=Raft(replicas=3, compact_at_kib=2, keep=100, piece_kib=1, election_ms=300),
    workload=Registers(keys=300, writes=0.8),
    load=Load(rate=300, clients=30, seconds=9),
    faults=[
        HandOver("n1").between(0.3, 0.4),
        Latency("n3", delay_ms=80).between(0.5, 8.8),
        Isolate("n3").between(0.8, 2.5),
        Partition("n3", direction="out").when(received="/raft", nth=4, at="n3", from_s=2.5, for_s=0.4),
        HandOver("n3").between(4.2, 4.3),
        HandOver("n1").between(4.6, 4.7),
        Isolate("n3").between(4.9, 6.6),
        HandOver("n2").between(7.05, 7.15),
        HandOver("n3").between(8.0, 8.1),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety],
    slos=["availability >= 40%"],
    nightly=True,
)
