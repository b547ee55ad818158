"""A disk is nearly full, so that a log grows and cannot be compacted, when all nodes die: they start with what they had."""

from __future__ import annotations

from faults.disk_full import DiskFull
from faults.kill import Kill
from harness.checkers.committed_entries_stay import committed_entries_stay
from harness.checkers.linearizable import linearizable
from harness.checkers.log_matching import log_matching
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_leader_per_term import one_leader_per_term
from harness.checkers.state_machine_safety import state_machine_safety
from harness.model.drill import Drill
from harness.model.load import Load
from systems.strong import Strong
from workloads.registers import Registers

drill = Drill(
    system=Strong(replicas=3, compact_at_kib=2),
    workload=Registers(keys=10, writes=0.6),
    load=Load(rate=200, clients=30, seconds=5),
    faults=[DiskFull("n2", nearly=True).between(1, 2.6), Kill("all").between(2.5, 2.8)],
    checks=[linearizable, nothing_lost, one_leader_per_term, log_matching, state_machine_safety, committed_entries_stay],
    slos=["availability >= 40%"],
    nightly=True,
)
