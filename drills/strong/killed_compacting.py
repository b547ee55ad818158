"""Replicas with small logs compact them all the time, and die in the middle of answers and of syncs."""

from __future__ import annotations

from faults.kill import Kill
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
    system=Strong(replicas=3, compact_at_kib=2),
    workload=Registers(keys=12, writes=0.8),
    load=Load(rate=200, clients=40, seconds=6.5),
    faults=[
        Kill("n1").when(answering="/kv/", nth=60, from_s=1, for_s=0.5),
        Kill("n2").when(syncing="entries.log", nth=40, from_s=2.6, for_s=0.5),
        Kill("n3").when(syncing="entries.log", nth=40, from_s=4.2, for_s=0.5),
    ],
    checks=[linearizable, nothing_lost, state_machine_safety, one_leader_per_term, log_matching, committed_entries_stay],
    slos=["availability >= 50%"],
    nightly=True,
)
