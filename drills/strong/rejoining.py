"""A backup that was down is catching up piece by piece over a slow link when the primary and the other backup die."""

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
    system=Strong(replicas=3),
    workload=Registers(keys=100, writes=0.6),
    load=Load(rate=200, clients=40, seconds=6.5),
    faults=[
        Kill("n3").between(0.8, 2.4),
        Latency("n1>n3", delay_ms=50).between(0.7, 6),
        Kill("n1 n2").when(received="/replica", nth=3, at="n3", from_s=2.4, for_s=1.5),
    ],
    checks=[linearizable, nothing_lost, one_leader_per_term, log_matching, state_machine_safety, committed_entries_stay],
    slos=["availability >= 40%", "recovery < 3s"],
    nightly=True,
)
