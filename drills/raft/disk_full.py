"""A disk is full for a while: its node stays silent, the others go on, and nothing half-written stays behind."""

from __future__ import annotations

from faults.disk_full import DiskFull
from faults.kill import Kill
from faults.sync_fails import SyncFails
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
    workload=Registers(keys=10, writes=0.4, compare_and_sets=0.1),
    load=Load(rate=250, clients=40, seconds=6),
    faults=[
        DiskFull("leader").between(1.5, 2.8),
        SyncFails("one").between(3.5, 4.3),
        Kill("all").between(4.8, 5.1),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety],
    slos=["availability >= 40%"],
    nightly=True,
)
