"""Three seconds with few calls in which disks fail: short, so that a simulation gets through many thousand seeds."""

from __future__ import annotations

from faults.disk_full import DiskFull
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
    workload=Registers(keys=3, writes=0.7, compare_and_sets=0.1, deletes=0.05),
    load=Load(rate=90, clients=18, seconds=3),
    faults=[
        DiskFull("leader").between(0.6, 1.6),
        SyncFails("one").between(2.0, 2.4),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety],
    slos=["availability >= 40%"],
    nightly=True,
)
