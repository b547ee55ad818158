"""Leaders read by lease; one is cut off while its wall clock runs ten times too slow, which must not matter."""

from __future__ import annotations

from faults.clock_drift import ClockDrift
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
    system=Raft(replicas=3, lease_ms=320),
    workload=Registers(keys=4, writes=0.1),
    load=Load(rate=250, clients=60, seconds=6),
    faults=[
        ClockDrift("leader", parts_per_million=-900_000, must_be_read=False).between(1, 3.6),
        Partition("leader").between(1.5, 3.5),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, leader_completeness, state_machine_safety],
    slos=["p50 < 50ms", "availability >= 90%"],
    nightly=True,
)
