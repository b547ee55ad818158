"""All nodes are killed at once while they take snapshots all the time, and recover from their disks."""

from __future__ import annotations

from faults.kill import Kill
from harness.checkers.no_duplicates import no_duplicates
from harness.checkers.no_false_empties import no_false_empties
from harness.checkers.no_lost_messages import no_lost_messages
from harness.checkers.per_key_order import per_key_order
from harness.model.drill import Drill
from harness.model.load import Load
from systems.bus import Bus
from workloads.publications import Publications

drill = Drill(
    system=Bus(lease_ms=4000, compact_at_kib=4),
    workload=Publications(),
    load=Load(rate=120, clients=24, seconds=7, timeout_ms=10_000),
    faults=[Kill("all").between(2, 3)],
    checks=[no_lost_messages, no_false_empties, no_duplicates, per_key_order],
    slos=["availability >= 50%"],
    nightly=True,
)
