"""Clients read, write, compare-and-set and delete, without faults."""

from __future__ import annotations

from harness.checkers.committed_entries_stay import committed_entries_stay
from harness.checkers.linearizable import linearizable
from harness.checkers.log_matching import log_matching
from harness.checkers.one_leader_per_term import one_leader_per_term
from harness.checkers.state_machine_safety import state_machine_safety
from harness.model.drill import Drill
from harness.model.load import Load
from systems.strong import Strong
from workloads.registers import Registers

drill = Drill(
    system=Strong(replicas=3),
    workload=Registers(keys=10, writes=0.3, compare_and_sets=0.15, deletes=0.05),
    load=Load(rate=200, clients=30, seconds=4),
    checks=[linearizable, one_leader_per_term, log_matching, state_machine_safety, committed_entries_stay],
    slos=["p50 < 50ms", "p99 < 500ms", "availability >= 99.9%"],
    nightly=True,
)
