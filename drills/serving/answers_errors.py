"""One of three replicas answers only errors, quickly enough to attract a balancer that prefers quick answers."""

from __future__ import annotations

from faults.answer_errors import AnswerErrors
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.replicas_return import replicas_return
from harness.model.drill import Drill
from harness.model.load import Load
from systems.serving import Serving, Settings
from workloads.predictions import Predictions

drill = Drill(
    system=Serving(replicas=3, settings=Settings(strategy="least-outstanding")),
    workload=Predictions(),
    load=Load(rate=300, clients=150, seconds=8.5),
    faults=[AnswerErrors("one").between(1, 3), AnswerErrors("one", status=503).between(4, 5.5)],
    checks=[predictions_correct, replicas_return],
    slos=["p99 < 200ms", "availability >= 99.9%"],
    nightly=True,
)
