"""The links from the primary to its backups flip bits: messages have checksums, so no replica takes another value."""

from __future__ import annotations

from faults.corrupt_bytes import CorruptBytes
from harness.checkers.linearizable import linearizable
from harness.checkers.log_matching import log_matching
from harness.checkers.nothing_lost import nothing_lost
from harness.checkers.state_machine_safety import state_machine_safety
from harness.model.drill import Drill
from harness.model.load import Load
from systems.strong import Strong
from workloads.registers import Registers

drill = Drill(
    system=Strong(),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=200, clients=20, seconds=4),
    faults=[CorruptBytes("n1>n2 n1>n3", rate=0.0005).between(0.4, 3.4)],
    checks=[linearizable, nothing_lost, log_matching, state_machine_safety],
    slos=["availability >= 50%"],
    nightly=True,
)
