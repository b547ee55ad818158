"""Every link between nodes flips bits while leadership is handed on: messages have checksums, so logs stay equal."""

from __future__ import annotations

from faults.corrupt_bytes import CorruptBytes
from faults.hand_over import HandOver
from harness.checkers.linearizable import linearizable
from harness.checkers.log_matching import log_matching
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.one_leader_per_term import one_leader_per_term
from harness.checkers.state_machine_safety import state_machine_safety
from harness.model.drill import Drill
from harness.model.load import Load
from systems.raft import Raft
from workloads.registers import Registers

drill = Drill(
    system=Raft(replicas=3),
    workload=Registers(keys=10, writes=0.4),
    load=Load(rate=200, clients=20, seconds=4),
    faults=[
        CorruptBytes("n1>n2 n2>n1 n1>n3 n3>n1 n2>n3 n3>n2", rate=0.0005).between(0.4, 3.4),
        HandOver("n1").between(0.5, 0.6),
        HandOver("n2").between(1.5, 1.6),
        HandOver("n3").between(2.5, 2.6),
    ],
    checks=[linearizable, nothing_lost, one_leader_per_term, log_matching, state_machine_safety],
    slos=["availability >= 50%"],
    nightly=True,
)
