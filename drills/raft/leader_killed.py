"""The leader is killed: another one takes over with all that was acknowledged, and the first one follows when it is back."""

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
    workload=Registers(keys=10, writes=0.4, compare_and_sets=0.1),
    load=Load(rate=250, clients=40, seconds=7),
    faults=[
        Kill("leader").between(1.5, 4.5),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety, replicas_return],
    slos=["p50 < 50ms", "p90 < 2s", "availability >= 90%", "recovery < 3s"],
)
