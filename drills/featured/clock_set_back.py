"""A replica's clock, a minute fast, is set right in the middle of an outage: its breaker must not wait for that minute."""

from __future__ import annotations

from faults.clock_skew import ClockSkew
from faults.latency import Latency
from harness.checkers.no_internal_errors import no_internal_errors
from harness.checkers.one_of_the_right import one_of_the_right
from harness.model.drill import Drill
from harness.model.load import Load
from systems.featured import Featured
from workloads.scores import Scores

drill = Drill(
    system=Featured(replicas=3),
    workload=Scores(),
    load=Load(rate=150, clients=150, seconds=7),
    faults=[
        ClockSkew("r1", by_ms=60_000, must_be_read=False).between(0.5, 3.5),
        Latency("features", delay_ms=600).between(1, 5),
    ],
    checks=[one_of_the_right, no_internal_errors],
    slos=["p50 < 50ms", "availability >= 99.9%"],
    nightly=True,
)
