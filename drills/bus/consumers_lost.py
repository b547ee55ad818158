"""Answers to consumers are lost on their way: the messages that they had leased go to other consumers."""

from __future__ import annotations

from faults.partition import Isolate
from harness.checkers.all_settled import all_settled
from harness.checkers.no_lost_messages import no_lost_messages
from harness.checkers.per_key_order import per_key_order
from harness.model.drill import Drill
from harness.model.load import Load
from systems.bus import Bus
from workloads.publications import Publications

drill = Drill(
    system=Bus(lease_ms=400),
    workload=Publications(),
    load=Load(rate=120, clients=24, seconds=7, timeout_ms=10_000),
    faults=[Isolate("leader").flapping(1, 5, on_s=0.3, off_s=0.3)],
    checks=[no_lost_messages, per_key_order, all_settled],
    slos=["availability >= 30%"],
    nightly=True,
)
