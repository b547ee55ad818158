"""Nodes are killed, frozen and partitioned, and links are slow, at random times."""

from __future__ import annotations

from faults.kill import Kill
from faults.latency import Latency
from faults.partition import Partition
from faults.pause import Pause
from harness.checkers.no_false_empties import no_false_empties
from harness.checkers.no_lost_messages import no_lost_messages
from harness.checkers.per_key_order import per_key_order
from harness.model.composition import RandomFaults
from harness.model.drill import Drill
from harness.model.load import Load
from systems.bus import Bus
from workloads.publications import Publications

drill = Drill(
    system=Bus(lease_ms=500, compact_at_kib=16),
    workload=Publications(),
    load=Load(rate=120, clients=24, seconds=10, timeout_ms=10_000),
    faults=[
        RandomFaults(
            faults=(Kill("one"), Pause("one"), Partition("one"), Latency("one", delay_ms=30)), windows=3, from_s=1, to_s=8
        )
    ],
    checks=[no_lost_messages, no_false_empties, per_key_order],
    slos=["availability >= 30%"],
    nightly=True,
)
