"""A rank is killed while gradients travel as products of thin matrices: it gets these when it comes back."""

from __future__ import annotations

from drills.exchange._checks import AGREE
from faults.kill import Kill
from harness.checkers.loss_parity import loss_parity_within
from harness.model.drill import Drill
from harness.model.load import Load
from systems.training import Training
from workloads.steps import Steps

drill = Drill(
    system=Training(ranks=3, exchange="powersgd", step_ms=10),
    workload=Steps(),
    load=Load(rate=20, clients=60, seconds=12, timeout_ms=4000),
    faults=[Kill("one").between(1.5, 2.5)],
    checks=(*AGREE, loss_parity_within(0.03, learnt=0.93)),  # 0.2 % of the gain is missing; without error feedback, 4 % or more
    slos=["availability >= 99%", "max < 3s", "lost_steps < 1", "bytes_per_step < 200kB"],
    nightly=True,
)
