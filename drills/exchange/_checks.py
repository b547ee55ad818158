"""The checks of trainings whose bits depend on which ranks there are."""

from __future__ import annotations

from harness.checkers.every_sample_once import every_sample_once
from harness.checkers.loss_parity import loss_parity_within
from harness.checkers.one_history import one_history
from harness.checkers.recovered import recovered
from harness.checkers.replicas_agree import replicas_agree

AGREE = (replicas_agree, one_history, every_sample_once, recovered)
"""What all promise, as long as one rank is left that holds the state."""

CLOSE_CHECKS = (*AGREE, loss_parity_within(0.03, learnt=0.9))
"""Of sums that are whole: only rounding is different."""

CHECKS = (*AGREE, loss_parity_within(0.06, learnt=0.93))

LATE_CHECKS = (*AGREE, loss_parity_within(0.3, learnt=0.95))
"""Of single bits and of few numbers: they come late, and these drills end after some hundred steps. The loss catches up soon
after, as `benchmarks/training_exchange.py` shows."""
