"""Consumers take longer than their leases: a consumer whose lease has expired settles nothing."""

from __future__ import annotations

from faults.latency import Latency
from harness.checkers.no_duplicates import no_duplicates
from harness.checkers.no_lost_messages import no_lost_messages
from harness.checkers.per_key_order import per_key_order
from harness.model.drill import Drill
from harness.model.load import Load
from systems.bus import Bus
from workloads.publications import Publications

drill = Drill(
    system=Bus(lease_ms=60),
    workload=Publications(),
    load=Load(rate=120, clients=24, seconds=6, timeout_ms=10_000),
    faults=[
        Latency("client>n1 client>n2 client>n3", delay_ms=50, jitter_ms=45).between(1, 4),
    ],
    checks=[no_lost_messages, no_duplicates, per_key_order],
    slos=["availability >= 20%"],
    nightly=True,
)
