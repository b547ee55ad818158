"""Each client reaches one node only, which asks the leader for it, while links are slow and leaders die in the middle."""

from __future__ import annotations

from faults.kill import Kill
from faults.latency import Latency
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
    workload=Registers(keys=4, writes=0.5, compare_and_sets=0.1),
    load=Load(rate=150, clients=60, seconds=6, sticky=True),
    faults=[
        Latency("all", delay_ms=20, jitter_ms=5).between(0.3, 5.5),
        Kill("leader").between(1.2, 1.5),
        Kill("leader").between(2.6, 2.9),
        Kill("leader").between(4.0, 4.3),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety],
    slos=["availability >= 30%"],
    nightly=True,
)
