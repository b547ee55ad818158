"""The service that every replica depends on answers only errors for a while: quick ones, which no timeout catches."""

from __future__ import annotations

from faults.answer_errors import AnswerErrors
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
    load=Load(rate=300, clients=150, seconds=6),
    faults=[AnswerErrors("features").between(1, 2.5), AnswerErrors("features", share=0.3, status=404).between(3, 4.5)],
    checks=[one_of_the_right, replicas_return, no_internal_errors],
    slos=["p50 < 50ms", "p99 < 300ms", "availability >= 99.9%"],
    nightly=True,
)
