"""A primary dies after it sent a write to one backup, then the other replicas, each in the middle of a sync."""

from __future__ import annotations

from faults.kill import Kill
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
    workload=Registers(keys=8, writes=0.3, compare_and_sets=0.3),
    load=Load(rate=150, clients=40, seconds=9),
    faults=[
        Latency("n1>n3", delay_ms=30).between(0.5, 3),
        Kill("n1").when(sent="/replica", nth=40, from_s=1, for_s=0.5),
        Kill("n2").when(syncing="entries.log", nth=40, from_s=3.4, for_s=0.5),
        Kill("n3").when(syncing="entries.log", nth=40, from_s=5.8, for_s=0.5),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, state_machine_safety, committed_entries_stay],
    slos=["availability >= 50%", "recovery < 3s"],
    nightly=True,
)
