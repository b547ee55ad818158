"""The primary of a majority is cut off from backups and keepers while clients still reach it."""

from __future__ import annotations

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
    workload=Registers(keys=4, writes=0.25),
    load=Load(rate=200, clients=60, seconds=6, sticky=True),
    faults=[Partition("n1").between(1.2, 3.8)],
    checks=[linearizable, nothing_lost, one_leader_per_term, log_matching, state_machine_safety, committed_entries_stay],
    slos=["availability >= 40%", "recovery < 3s"],
    nightly=True,
)
