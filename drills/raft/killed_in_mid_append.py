"""Nodes die before a sync, after it, with an append sent and with the answer to a client ready to go."""

from __future__ import annotations

from faults.kill import Kill
from harness.checkers.leader_completeness import leader_completeness
from harness.checkers.linearizable import linearizable
from harness.checkers.log_matching import log_matching
from harness.checkers.one_leader_per_term import one_leader_per_term
from harness.checkers.replicas_return import replicas_return
from harness.checkers.state_machine_safety import state_machine_safety
from harness.model.drill import Drill
from harness.model.load import Load
from systems.raft import Raft
from workloads.registers import Registers

drill = Drill(
    system=Raft(replicas=3),
    workload=Registers(keys=4, writes=0.5, compare_and_sets=0.1),
    load=Load(rate=250, clients=40, seconds=8),
    faults=[
        Kill("n1").when(syncing="raft.log", nth=40, from_s=0.8, for_s=0.4),
        Kill("n2").when(synced="raft.log", nth=40, from_s=2.2, for_s=0.4),
        Kill("n3").when(answering="/raft", nth=40, from_s=3.6, for_s=0.4),
        Kill("leader").between(5, 5.4),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety, replicas_return],
    slos=["availability >= 60%"],
)
