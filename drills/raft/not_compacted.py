"""A disk is nearly full, so that a log grows and cannot be compacted, when all nodes die: they start with what they had."""

from __future__ import annotations

from faults.disk_full import DiskFull
from faults.kill import Kill
from harness.checkers.leader_completeness import leader_completeness
from harness.checkers.linearizable import linearizable
from harness.checkers.log_matching import log_matching
from harness.checkers.state_machine_safety import state_machine_safety
from harness.model.drill import Drill
from harness.model.load import Load
from systems.raft import Raft
from workloads.registers import Registers

drill = Drill(
    system=Raft(replicas=3, compact_at_kib=2, keep=0),
    workload=Registers(keys=10, writes=0.6),
    load=Load(rate=200, clients=30, seconds=5),
    faults=[DiskFull("one", nearly=True).between(1, 2.6), Kill("all").between(2.5, 2.8)],
    checks=[linearizable, log_matching, leader_completeness, state_machine_safety],
    slos=["availability >= 50%"],
    nightly=True,
)
