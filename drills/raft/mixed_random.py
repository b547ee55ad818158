"""One node after another is killed, frozen, slowed, cut off or partitioned, as the seed decides."""

from __future__ import annotations

from faults.kill import Kill
from faults.latency import Latency
from faults.partition import Isolate, Partition
from faults.pause import Pause
from faults.power_loss import PowerLoss
from harness.checkers.linearizable import linearizable
from harness.checkers.log_matching import log_matching
from harness.checkers.one_leader_per_term import one_leader_per_term
from harness.checkers.state_machine_safety import state_machine_safety
from harness.model.composition import RandomFaults
from harness.model.drill import Drill
from harness.model.load import Load
from systems.raft import Raft
from workloads.registers import Registers

drill = Drill(
    system=Raft(replicas=3, compact_at_kib=16),
    workload=Registers(keys=10, writes=0.4, compare_and_sets=0.1),
    load=Load(rate=250, clients=20, seconds=10),
    faults=[
        RandomFaults(
            faults=(
                Kill("one"),
                Pause("one"),
                Isolate("one"),
                Partition("leader"),
                Latency("one", delay_ms=50),
                PowerLoss("one"),
            ),
            windows=5,
            from_s=1,
            to_s=8.5,
            shortest_s=0.5,
            longest_s=1.5,
        ),
    ],
    checks=[linearizable, one_leader_per_term, log_matching, state_machine_safety],
    slos=["availability >= 50%"],
    nightly=True,
)
