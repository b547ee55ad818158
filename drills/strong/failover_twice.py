"""The primary is killed and comes back, then its successor is killed: by then the first one's log must be right."""

from __future__ import annotations

from faults.kill import Kill
from faults.silent_drop import SilentDrop
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
    workload=Registers(keys=150, writes=0.5),
    load=Load(rate=150, clients=40, seconds=7.5),
    faults=[
        SilentDrop("n1>n2 n1>n3").between(1.4, 1.6),
        Kill("n1").between(1.5, 2.6),
        Kill("n2 n3").between(3.6, 4.6),
    ],
    checks=[linearizable, nothing_lost, one_leader_per_term, log_matching, state_machine_safety, committed_entries_stay],
    slos=["availability >= 40%", "recovery < 3s"],
    nightly=True,
)
