"""A leader that reads by lease is cut off just as the others are restarted: they must not elect another one before it is over.

Elections begin late, so that the lease is long, and clients that could not write at the old leader have time to ask the others.
"""

from __future__ import annotations

from faults.hand_over import HandOver
from faults.kill import Kill
from faults.partition import Partition
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
    system=Raft(replicas=3, election_ms=2000, lease_ms=1600),
    workload=Registers(keys=4, writes=0.3),
    load=Load(rate=200, clients=60, seconds=9),
    faults=[
        HandOver("n1").between(1.5, 1.6),
        Partition("n1").between(2.5, 6.5),
        Kill("n2 n3").between(2.52, 2.6),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety],
    slos=["availability >= 30%"],
    nightly=True,
)
