"""The leader's answers come late, so producers send messages again: no message is taken twice."""

from __future__ import annotations

from faults.stall import Stall
from harness.checkers.no_duplicates import no_duplicates
from harness.checkers.no_lost_messages import no_lost_messages
from harness.checkers.per_key_order import per_key_order
from harness.model.drill import Drill
from harness.model.load import Load
from systems.bus import Bus
from workloads.publications import Publications

drill = Drill(
    system=Bus(lease_ms=4000),
    workload=Publications(),
    load=Load(rate=120, clients=24, seconds=6, timeout_ms=10_000),
    faults=[Stall("leader", loss=0.06, timeout_ms=900).following(1, 5)],
    checks=[no_lost_messages, no_duplicates, per_key_order],
    slos=["availability >= 60%"],
    nightly=True,
)
