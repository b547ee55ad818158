"""Many clients compare-and-set the same keys at once, expecting the same values, over slow links."""

from __future__ import annotations

from faults.latency import Latency
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
    workload=Registers(keys=6, writes=0.2, compare_and_sets=0.5, deletes=0.02, rivals=3),
    load=Load(rate=250, clients=40, seconds=4),
    faults=[Latency("n1>n2", delay_ms=15).between(0.5, 3.5)],
    checks=[linearizable, one_leader_per_term, log_matching, state_machine_safety, committed_entries_stay],
    slos=["availability >= 99%"],
    nightly=True,
)
