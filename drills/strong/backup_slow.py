"""What the primary sends to one backup takes 80 ms longer: the majority of the others does not notice."""

from __future__ import annotations

from faults.latency import Latency
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
    system=Strong(replicas=3, acknowledged_by="majority"),
    workload=Registers(keys=8, writes=0.5),
    load=Load(rate=150, clients=40, seconds=5.5),
    faults=[Latency("n1>n2", delay_ms=80).between(1, 4.5)],
    checks=[linearizable, nothing_lost, one_leader_per_term, log_matching, state_machine_safety, committed_entries_stay],
    slos=["p50 < 50ms", "p99 < 500ms", "availability >= 99%"],
    nightly=True,
)
