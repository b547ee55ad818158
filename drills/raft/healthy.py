"""Clients read, write, compare-and-set and delete on three nodes, without faults."""

from __future__ import annotations

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
    workload=Registers(keys=10, writes=0.3, compare_and_sets=0.2, deletes=0.05),
    load=Load(rate=250, clients=40, seconds=5),
    checks=[linearizable, one_leader_per_term, log_matching, state_machine_safety],
    slos=["p50 < 50ms", "p99 < 900ms", "availability >= 99.9%"],
    nightly=True,
)
