"""Bits flip on all links: calls of clients have no checksum, so some keys and values change, and the check finds this."""

from __future__ import annotations

from faults.corrupt_bytes import CorruptBytes
from harness.checkers.linearizable import linearizable
from harness.checkers.nothing_lost import nothing_lost
from harness.model.drill import Drill
from harness.model.load import Load
from systems.quorum import Quorum
from workloads.registers import Registers

drill = Drill(
    system=Quorum(replicas=3, read=2, write=2),
    workload=Registers(keys=10, writes=0.5),
    load=Load(rate=250, clients=40, seconds=6),
    faults=[CorruptBytes("all", rate=0.002).between(1.5, 4)],
    checks=[linearizable, nothing_lost],
    caught_by=linearizable,
    nightly=True,
)
