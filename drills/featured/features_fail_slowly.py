"""The service that every replica depends on takes a while for each answer, and each is an error: breakers count those too."""

from __future__ import annotations

from faults.answer_errors import AnswerErrors
from faults.latency import Latency
from harness.checkers.no_internal_errors import no_internal_errors
from harness.checkers.one_of_the_right import one_of_the_right
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.featured import Featured
from workloads.scores import Scores

drill = Drill(
    system=Featured(replicas=3),
    workload=Scores(),
    load=Load(rate=120, clients=150, seconds=7),
    faults=[Latency("features", delay_ms=120).between(0.9, 5.1), AnswerErrors("features").between(1, 5)],
    checks=[one_of_the_right, replicas_return, no_internal_errors],
    slos=["p50 < 50ms", "availability >= 99.9%"],
    nightly=True,
)
