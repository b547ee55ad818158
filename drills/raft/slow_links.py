"""All links are slow, and leaders are cut off and killed: some nodes have entries that others do not have yet."""

from __future__ import annotations

from faults.kill import Kill
from faults.latency import Latency
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
    system=Raft(replicas=3),
    workload=Registers(keys=3, writes=0.4),
    load=Load(rate=250, clients=60, seconds=7),
    faults=[
        Latency("all", delay_ms=30, jitter_ms=15).between(0.5, 6),
        Partition("leader").between(1.5, 2.5),
        Kill("leader").between(3.5, 4),
        Partition("leader", direction="out").between(4.6, 5.4),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety],
    slos=["availability >= 50%"],
    nightly=True,
)
