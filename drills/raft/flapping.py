"""The current leader is cut off from the others again and again, each time for as long as an election takes."""

from __future__ import annotations

from faults.partition import Partition
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
    system=Raft(replicas=3, election_ms=200, heartbeat_ms=25),
    workload=Registers(keys=150, writes=0.5, compare_and_sets=0.1),
    load=Load(rate=250, clients=40, seconds=7),
    faults=[
        Partition("leader").between(1.0, 1.45),
        Partition("leader").between(2.0, 2.45),
        Partition("leader").between(3.0, 3.45),
        Partition("leader").between(4.0, 4.45),
        Partition("leader").between(5.0, 5.45),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety],
    slos=["availability >= 60%"],
    nightly=True,
)
