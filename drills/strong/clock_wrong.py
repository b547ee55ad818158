"""The primary is cut off, its clock is behind and the others' ahead: its lease must not seem longer, nor theirs over."""

from __future__ import annotations

from faults.clock_skew import ClockSkew
from faults.partition import Partition
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
    load=Load(rate=150, clients=40, seconds=6),
    faults=[
        Partition("n1").between(1.4, 3.8),
        ClockSkew("n1", by_ms=-3000, must_be_read=False).between(1.5, 4.5),
        ClockSkew("n2 n3", by_ms=3000, must_be_read=False).between(1.5, 4.5),
    ],
    checks=[linearizable, nothing_lost, one_leader_per_term, log_matching, state_machine_safety, committed_entries_stay],
    slos=["availability >= 50%", "recovery < 3s"],
    nightly=True,
)
