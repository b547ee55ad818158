"""A replica that has acknowledged writes finds its log damaged: it must neither lead nor vouch for it."""

from __future__ import annotations

from faults.flip_bits import FlipBits
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
    system=Strong(replicas=3, acknowledged_by="majority"),
    workload=Registers(keys=8, writes=0.5),
    load=Load(rate=150, clients=40, seconds=7),
    faults=[
        Isolate("n3").between(1.6, 3.4),  # not from 1: over slow links, it might not have been given its log before that
        Kill("n2").between(2.2, 2.8),
        FlipBits("n2", file="entries.log", bits=2000).between(2.4, 2.7),
        Kill("n1").between(2.5, 3.9),
    ],
    checks=[linearizable, nothing_lost, one_leader_per_term, log_matching, state_machine_safety, committed_entries_stay],
    slos=["availability >= 30%", "recovery < 4s"],
    nightly=True,
)
