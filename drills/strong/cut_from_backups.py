"""The primary reaches the keepers and its clients but no backup: it gives way to a replica that reaches a majority."""

from __future__ import annotations

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
    workload=Registers(keys=8, writes=0.5),
    load=Load(rate=150, clients=40, seconds=10),
    faults=[Isolate("n1>n2 n1>n3").between(1.2, 8.6)],
    checks=[linearizable, nothing_lost, one_leader_per_term, log_matching, state_machine_safety, committed_entries_stay],
    slos=["availability >= 50%", "p50 < 500ms", "recovery < 4s"],
    nightly=True,
)
