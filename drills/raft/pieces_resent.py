"""A node that was away gets a snapshot in many pieces, and its answers are late: pieces are sent again, and come twice."""

from __future__ import annotations

from faults.latency import Latency
from faults.partition import Isolate, Partition
from harness.checkers.linearizable import linearizable
from harness.checkers.log_matching import log_matching
from harness.checkers.state_machine_safety import state_machine_safety
from harness.model.drill import Drill
from harness.model.load import Load
from systems.raft import Raft
from workloads.registers import Registers

drill = Drill(
    system=Raft(replicas=3, compact_at_kib=2, keep=150, piece_kib=1, election_ms=300),
    workload=Registers(keys=800, writes=0.8),
    load=Load(rate=300, clients=30, seconds=5.5),
    faults=[
        Latency("n3", delay_ms=40).between(0.3, 4.2),
        Isolate("n3").between(0.5, 2),
        Partition("n3", direction="out").when(received="/raft", nth=5, at="n3", from_s=2, for_s=0.8),
    ],
    checks=[linearizable, log_matching, state_machine_safety],
    slos=["availability >= 40%"],
    nightly=True,
)
