"""What a cut-off leader had sent arrives after the partition, just as its successor dies: no node may accept it."""

from __future__ import annotations

from faults.hand_over import HandOver
from faults.kill import Kill
from faults.partition import Partition
from harness.checkers.committed_entries_stay import committed_entries_stay
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
    workload=Registers(keys=10, writes=0.6),
    load=Load(rate=250, clients=40, seconds=8),
    faults=[
        HandOver("n1").between(0.5, 0.6),
        Partition("n1").between(1, 2.5),
        Kill("leader").between(2.42, 3.2),
        HandOver("n1").between(4.2, 4.3),
        Partition("n1").between(4.6, 6),
        Kill("leader").between(5.92, 6.6),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety, committed_entries_stay],
    slos=["availability >= 50%"],
    nightly=True,
)
