"""The primary is paused beyond its lease, and goes on as if nothing had happened: the backups refuse its epoch.

Only they can tell it: it does not reach the keepers, and only clients reach it, each of which knows one node.
"""

from __future__ import annotations

from faults.partition import Isolate
from faults.pause import Pause
from harness.checkers.committed_entries_stay import committed_entries_stay
from harness.checkers.deposed_leaders_refused import deposed_leaders_refused
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
    system=Strong(replicas=3, keepers=1),
    workload=Registers(keys=8, writes=0.5),
    load=Load(rate=150, clients=60, seconds=6, sticky=True),
    faults=[
        Pause("n1").between(1.2, 3),
        Isolate("n1>k1").between(1.03, 3.6),
        Isolate("n2>n1 n3>n1").between(1.2, 3.6),
    ],
    checks=[
        linearizable,
        nothing_lost,
        deposed_leaders_refused,
        one_leader_per_term,
        log_matching,
        state_machine_safety,
        committed_entries_stay,
    ],
    slos=["availability >= 40%", "recovery < 3s"],
    nightly=True,
)
