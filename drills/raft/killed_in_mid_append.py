"""Nodes die before a sync, after it, and just before they answer clients, which then ask again."""

from __future__ import annotations

from faults.hand_over import HandOver
from faults.kill import Kill
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
    workload=Registers(keys=8, writes=0.2, compare_and_sets=0.5),
    load=Load(rate=300, clients=40, seconds=8),
    faults=[
        HandOver("n1").between(0.5, 0.6),
        Kill("n1").when(answering="/kv/", nth=60, from_s=1, for_s=0.5),
        HandOver("n2").between(2.6, 2.7),
        Kill("n2").when(answering="/kv/", nth=60, from_s=3, for_s=0.5),
        Kill("n3").when(syncing="raft.log", nth=40, from_s=4.6, for_s=0.4),
        Kill("n1").when(synced="raft.log", nth=40, from_s=5.6, for_s=0.4),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety],
    slos=["availability >= 50%"],
    nightly=True,
)
