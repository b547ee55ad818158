"""The primary is killed while the more complete backup is far from the keepers: the other comes next, and must ask it first."""

from __future__ import annotations

from faults.kill import Kill
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
    workload=Registers(keys=60, writes=0.5),
    load=Load(rate=150, clients=40, seconds=6),
    faults=[
        Latency("n1>n2", delay_ms=150).between(0.5, 1.9),
        Latency("n3>k1 n3>k2 n3>k3", delay_ms=800).between(1.2, 3),
        Kill("n1").between(1.5, 3.5),
    ],
    checks=[linearizable, nothing_lost, one_leader_per_term, log_matching, state_machine_safety, committed_entries_stay],
    slos=["availability >= 60%", "recovery < 3s"],
    nightly=True,
)
