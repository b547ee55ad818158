"""Logs are short, and become snapshots all the time: a node that was away is given one, and nodes start from their own."""

from __future__ import annotations

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
    system=Raft(replicas=3, compact_at_kib=4, keep=0),
    workload=Registers(keys=10, writes=0.5, compare_and_sets=0.1),
    load=Load(rate=300, clients=40, seconds=7),
    faults=[
        Isolate("one").between(1, 2.5),
        Kill("leader").between(3, 3.5),
        Kill("all").between(4.3, 4.7),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety],
    slos=["availability >= 50%", "recovery < 3s"],
)
