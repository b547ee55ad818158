"""All replicas lose power at once, with what they had not synced, while writes are under way; then one alone."""

from __future__ import annotations

from faults.latency import Latency
from faults.power_loss import PowerLoss
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
    load=Load(rate=150, clients=40, seconds=7.5),
    faults=[
        Latency("n1>n3", delay_ms=40).between(1.2, 1.5),
        PowerLoss("n1 n2 n3").between(1.45, 2.2),
        PowerLoss("n1").between(3.8, 4.4),
    ],
    checks=[linearizable, nothing_lost, one_leader_per_term, log_matching, state_machine_safety, committed_entries_stay],
    slos=["availability >= 40%", "recovery < 3s"],
    nightly=True,
)
