"""Short logs become snapshots all the time: a node that was away receives one, and nodes start from their own."""

from __future__ import annotations

from faults.hand_over import HandOver
from faults.kill import Kill
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
    system=Raft(replicas=3, compact_at_kib=2, keep=0),
    workload=Registers(keys=8, writes=0.2, compare_and_sets=0.5),
    load=Load(rate=300, clients=30, seconds=8),
    faults=[
        HandOver("n1").between(0.3, 0.4),
        Isolate("n3").between(0.8, 1.8),
        Kill("all").when(answering="/kv/", nth=40, at="n1", from_s=2.2, for_s=0.2),
        HandOver("n1").between(3.8, 3.9),
        Kill("all").when(answering="/kv/", nth=40, at="n1", from_s=4.2, for_s=0.2),
        HandOver("n1").between(5.6, 5.7),
        Kill("all").when(answering="/kv/", nth=40, at="n1", from_s=6, for_s=0.2),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety],
    slos=["availability >= 40%"],
    nightly=True,
)
