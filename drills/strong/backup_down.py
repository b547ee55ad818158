"""A backup dies and comes back: writes go on without it, and it catches up."""

from __future__ import annotations

from faults.kill import Kill
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
    workload=Registers(keys=8, writes=0.4, compare_and_sets=0.1),
    load=Load(rate=150, clients=40, seconds=6),
    faults=[Kill("n2").between(1.2, 3)],
    checks=[linearizable, one_leader_per_term, log_matching, state_machine_safety, committed_entries_stay],
    slos=["availability >= 90%", "recovery < 3s"],
    nightly=True,
)
