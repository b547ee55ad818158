"""The leader is paused, another one is elected, and the first one wakes up: it must not answer for the group."""

from __future__ import annotations

from faults.pause import Pause
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
    workload=Registers(keys=4, writes=0.4),
    load=Load(rate=250, clients=40, seconds=6),
    faults=[
        Pause("leader").between(1, 2.5),
        Pause("leader").between(3.3, 4.8),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety],
    slos=["p50 < 100ms", "availability >= 80%", "recovery < 3s"],
    nightly=True,
)
