"""Two of three replicas are killed: the third acknowledges nothing until they are back."""

from __future__ import annotations

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
    system=Strong(replicas=3),
    workload=Registers(keys=100, writes=0.5),
    load=Load(rate=150, clients=40, seconds=9),
    # If n1 was not the primary at first, it probably is when the others are killed again.
    faults=[Kill("n2 n3").between(1.2, 2.3), Kill("n2 n3").between(5, 6.1)],
    checks=[linearizable, nothing_lost, one_leader_per_term, log_matching, state_machine_safety, committed_entries_stay],
    slos=["availability >= 85%", "recovery < 3s"],
    nightly=True,
)
