"""A new primary has asked a majority what they have, just as the old one wakes up and sends them more entries."""

from __future__ import annotations

from faults.kill import Kill
from faults.latency import Latency
from faults.partition import Isolate
from faults.pause import Pause
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
    system=Strong(replicas=3, acknowledged_by="majority", keepers=1),
    workload=Registers(keys=30, writes=0.6),
    load=Load(rate=200, clients=60, seconds=6, sticky=True),
    faults=[
        Kill("n3").between(0.9, 1.6),
        Pause("n1").between(1.2, 2.3),
        Latency("n2>n3", delay_ms=250).between(1, 4),
        Latency("n1>n2", delay_ms=100).between(2.15, 4),
        Isolate("n1>k1").between(1.03, 2.85),
        Isolate("n2>n1 n3>n1").between(1.2, 2.85),
    ],
    checks=[linearizable, nothing_lost, one_leader_per_term, log_matching, state_machine_safety, committed_entries_stay],
    slos=["availability >= 20%"],
    nightly=True,
)
