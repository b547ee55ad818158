"""Two of three keepers die, then a backup: it cannot be removed, so nothing is acknowledged until one keeper is back."""

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
    load=Load(rate=150, clients=60, seconds=6, sticky=True),
    faults=[Kill("k2 k3").between(1.5, 4), Kill("n2").between(1.7, 3.8)],
    checks=[linearizable, nothing_lost, one_leader_per_term, log_matching, state_machine_safety, committed_entries_stay],
    slos=["availability >= 30%", "recovery < 3s"],
    nightly=True,
)
