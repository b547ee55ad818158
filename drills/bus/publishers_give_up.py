"""Answers to producers are lost or come late, and they give messages up and publish others: no message passes for another."""

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
    system=Bus(lease_ms=4000, publish_ms=200),
    workload=Publications(publishes=0.4),
    load=Load(rate=120, clients=24, seconds=6, timeout_ms=10_000),
    faults=[Stall("leader", loss=0.03, timeout_ms=900).between(1, 4)],
    checks=[no_lost_messages, no_duplicates, per_key_order],
    slos=["availability >= 50%"],
    nightly=True,
)
