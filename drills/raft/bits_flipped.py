"""One of the two nodes with the newest entries finds its log damaged; it must not go on with what is still readable.

The node that lacks those entries asks it for its vote before it has caught up. The other one that has them reaches only the
damaged node, and late.
"""

from __future__ import annotations

from faults.bridge import Bridge
from faults.flip_bits import FlipBits
from faults.kill import Kill
from faults.latency import Latency
from faults.partition import Isolate
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
    system=Raft(replicas=3),
    workload=Registers(keys=10, writes=0.4, compare_and_sets=0.1),
    load=Load(rate=200, clients=20, seconds=8.6),
    faults=[
        Isolate("n3").between(1, 3),
        Kill("n1").between(2.2, 2.9),
        FlipBits("n1", file="raft.log", bits=2000).between(2.4, 2.8),
        Isolate("n2").between(2.6, 4.4),
        Bridge("n1").between(4, 7),
        Latency("n2>n1 n1>n2", delay_ms=300).between(4.2, 7),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety],
    slos=["availability >= 30%"],
    nightly=True,
)
