"""Two of five replicas are cut off from the others and nearer to the keepers: they do not keep the others from taking over."""

from __future__ import annotations

from faults.latency import Latency
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

_MINORITY = ("n1", "n2")
_MAJORITY = ("n3", "n4", "n5")

drill = Drill(
    system=Strong(replicas=5, keepers=1),
    workload=Registers(keys=8, writes=0.5),
    load=Load(rate=150, clients=40, seconds=11),
    faults=[
        *(Isolate(f"{one}>{other}").between(1.2, 9.6) for one in _MINORITY for other in _MAJORITY),
        *(Latency(f"{other}>k1", delay_ms=60).between(1.2, 9.6) for other in _MAJORITY),
    ],
    checks=[linearizable, nothing_lost, one_leader_per_term, log_matching, state_machine_safety, committed_entries_stay],
    slos=["availability >= 50%", "p50 < 500ms", "recovery < 4s"],
    nightly=True,
)
