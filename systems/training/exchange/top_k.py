"""Only the largest numbers of each rank's gradient, with error feedback.

Aji and Heafield, "Sparse Communication for Distributed Gradient Descent", EMNLP 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.model.errors import UsageError
from systems.training.exchange import TRAINER, Combined, Combining, Gather, Given
from systems.training.exchange._residual import keeping, with_residual


@dataclass(frozen=True, kw_only=True)
class Method:
    """Each rank sends its largest numbers, 8 bytes each with their places, and keeps the others for later steps.

    Promises that all ranks hold the same bits after each step: they add what all have sent in the order of ranks.
    """

    share: float = 0.01
    """The share of the numbers to send."""

    repeatable: ClassVar[bool] = False
    trainer: ClassVar[str] = TRAINER
    batches: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise UsageError(f"Training(exchange='top-k(share={self.share:g})'): a share is above 0 and at most 1.")

    def combine(self, given: Given) -> Combining:
        gradient = with_residual(given)
        number = max(1, round(self.share * len(gradient)))
        places = np.sort(np.argpartition(np.abs(gradient), -number)[-number:]).astype(np.uint32)
        loss = given.total[-1:]
        gathered = yield Gather(np.concatenate([part.view(np.uint8) for part in (places, gradient[places], loss)]))
        total = np.zeros(len(gradient) + 1, dtype=np.float32)
        for sent in gathered:
            total[sent[: 4 * number].view(np.uint32)] += sent[4 * number : 8 * number].view(np.float32)
            total[-1:] += sent[8 * number :].view(np.float32)
        gradient[places] = 0
        return Combined(total=total, state=keeping(given, gradient))
