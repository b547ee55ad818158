"""The leader is cut off while leases run out: it cannot end them, and the next leader does."""

from __future__ import annotations

from faults.latency import Latency
from faults.partition import Partition
from harness.checkers.all_settled import all_settled
from harness.checkers.no_false_empties import no_false_empties
from harness.checkers.no_lost_messages import no_lost_messages
from harness.checkers.per_key_order import per_key_order
from harness.model.drill import Drill
from harness.model.load import Load
from systems.bus import Bus
from workloads.publications import Publications

drill = Drill(
    system=Bus(lease_ms=60),
    workload=Publications(),
    load=Load(rate=120, clients=24, seconds=7, timeout_ms=10_000),
    faults=[
        Latency("client>n1 client>n2 client>n3", delay_ms=50, jitter_ms=45).between(0.5, 5),
        Partition("leader").between(1, 2.6),
        Partition("leader").between(3.2, 4.8),
    ],
    checks=[no_lost_messages, no_false_empties, per_key_order, all_settled],
    slos=["availability >= 10%"],
    nightly=True,
)
