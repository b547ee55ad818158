"""Clients accept only exact scores, and the service behind them answers every third request with an error."""

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
    workload=Scores(exact=True),
    load=Load(rate=300, clients=150, seconds=6),
    faults=[AnswerErrors("features", share=0.33, status=503).between(1, 4)],
    checks=[one_of_the_right, replicas_return, no_internal_errors],
    slos=["p50 < 50ms", "p99 < 300ms", "availability >= 60%"],
    nightly=True,
)
