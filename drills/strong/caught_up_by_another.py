"""A backup missed one primary's writes, and the next one sends them to it; then it is the only one left."""

from __future__ import annotations

from faults.kill import Kill
from faults.partition import Isolate
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
    workload=Registers(keys=200, writes=0.6),
    load=Load(rate=200, clients=40, seconds=6.5),
    faults=[Isolate("n3").between(0.5, 2), Kill("n1").between(1.5, 2.2), Kill("n1 n2").between(3.4, 4.6)],
    checks=[linearizable, nothing_lost, one_leader_per_term, log_matching, state_machine_safety, committed_entries_stay],
    slos=["availability >= 30%", "recovery < 3s"],
    nightly=True,
)
