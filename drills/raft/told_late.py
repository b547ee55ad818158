"""Leaders that read by lease hand over to a node that they reach slowly, and take leadership back before it hears that it is to
campaign: it leads all the same, so their leases must be over."""

from __future__ import annotations

from faults.hand_over import HandOver
from faults.latency import Latency
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
    system=Raft(replicas=3, lease_ms=320),
    workload=Registers(keys=2, writes=0.3),
    load=Load(rate=250, clients=60, seconds=8),
    faults=[
        HandOver("n1").between(0.5, 0.6),
        Latency("n1>n3 n3>n1", delay_ms=150).between(1, 7.5),
        HandOver("n3").between(1.5, 1.6),
        HandOver("n1").between(3, 3.1),
        HandOver("n3").between(4.5, 4.6),
        HandOver("n1").between(6, 6.1),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety],
    slos=["p50 < 200ms", "availability >= 70%"],
    nightly=True,
)
