"""The leader is killed with messages under way, which producers send again: none is lost, and none is taken twice."""

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
    system=Bus(lease_ms=4000),
    workload=Publications(),
    load=Load(rate=120, clients=24, seconds=7, timeout_ms=10_000),
    faults=[Latency("n1>n2", delay_ms=20).between(0.5, 5.5), Kill("leader").between(1.5, 2.5), Kill("leader").between(4, 5)],
    checks=[no_lost_messages, no_false_empties, no_duplicates, per_key_order],
    slos=["availability >= 60%"],
    nightly=True,
)
