"""Messages of several keys go to two groups, without faults: each is received once, in the order of its key."""

from __future__ import annotations

from harness.checkers.no_duplicates import no_duplicates
from harness.checkers.no_false_empties import no_false_empties
from harness.checkers.no_lost_messages import no_lost_messages
from harness.checkers.per_key_order import per_key_order
from harness.model.drill import Drill
from harness.model.load import Load
from systems.bus import Bus
from workloads.publications import Publications

drill = Drill(
    system=Bus(),
    workload=Publications(),
    load=Load(rate=220, clients=24, seconds=4, timeout_ms=10_000),
    checks=[no_lost_messages, no_false_empties, no_duplicates, per_key_order],
    slos=["p99 < 500ms", "availability >= 99%"],
    nightly=True,
)
