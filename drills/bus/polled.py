"""Consumers take several messages at once and some are too late, and the leader dies: a lease is settled as a whole, or not."""

from __future__ import annotations

from faults.kill import Kill
from faults.latency import Latency
from harness.checkers.no_duplicates import no_duplicates
from harness.checkers.no_false_empties import no_false_empties
from harness.checkers.no_lost_messages import no_lost_messages
from harness.checkers.per_key_order import per_key_order
from harness.model.drill import Drill
from harness.model.load import Load
from systems.bus import Bus
from workloads.publications import Publications

drill = Drill(
    system=Bus(lease_ms=100, compact_at_kib=16),
    workload=Publications(publishes=0.5, polls=True),
    load=Load(rate=120, clients=24, seconds=7, timeout_ms=10_000),
    faults=[
        Latency("client>n1 client>n2 client>n3", delay_ms=50, jitter_ms=45).between(1, 4),
        Kill("leader").between(4.2, 5.2),
    ],
    checks=[no_lost_messages, no_false_empties, no_duplicates, per_key_order],
    slos=["availability >= 20%"],
    nightly=True,
)
