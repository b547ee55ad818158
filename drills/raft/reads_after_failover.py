"""A leader dies whose followers learn late what is committed: its successor must know it before it answers reads.

The other follower is behind, so that it confirms the successor's leadership before it has what the successor has.
"""

from __future__ import annotations

from faults.hand_over import HandOver
from faults.kill import Kill
from faults.latency import Latency
from faults.silent_drop import SilentDrop
from harness.checkers.leader_completeness import leader_completeness
from harness.checkers.linearizable import linearizable
from harness.checkers.log_matching import log_matching
from harness.checkers.one_leader_per_term import one_leader_per_term
from harness.checkers.state_machine_safety import state_machine_safety
from harness.model.drill import Drill
from harness.model.load import Load
from systems.raft import Raft
from workloads.registers import Registers

drill = Drill(
    system=Raft(replicas=3, batch=4),
    workload=Registers(keys=3, writes=0.4),
    load=Load(rate=250, clients=60, seconds=8),
    faults=[
        HandOver("n1").between(0.5, 0.6),
        Latency("n1>n2", delay_ms=30).between(0.9, 7.5),
        SilentDrop("n1>n3").between(1.5, 3.4),
        Latency("n2>n3", delay_ms=120).between(0.9, 7.5),
        SilentDrop("n1>n2").between(1.96, 3.4),
        Kill("n1").between(2, 3.4),
        HandOver("n1").between(4.3, 4.4),
        SilentDrop("n1>n3").between(5.1, 7),
        SilentDrop("n1>n2").between(5.56, 7),
        Kill("n1").between(5.6, 7),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety],
    slos=["availability >= 50%"],
    nightly=True,
)
