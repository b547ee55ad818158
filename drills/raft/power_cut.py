"""All machines lose power at once, twice, while nothing else is wrong: what was acknowledged was synced."""

from __future__ import annotations

from faults.power_loss import PowerLoss
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
    load=Load(rate=250, clients=40, seconds=7.5),
    faults=[PowerLoss("all").between(1.5, 2), PowerLoss("all").between(4.5, 5)],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety],
    slos=["availability >= 40%", "recovery < 2s"],
    nightly=True,
)
