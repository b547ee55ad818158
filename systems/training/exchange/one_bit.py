"""The sign of each number and one scale for many of them, with error feedback.

Seide et al., "1-Bit Stochastic Gradient Descent and Application to Data-Parallel Distributed Training of Speech DNNs",
Interspeech 2014; blocks with a scale each: Zheng, Huang and Kwok, "Communication-Efficient Distributed Blockwise Momentum SGD
with Error-Feedback", NeurIPS 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.model.errors import UsageError
from systems.training.exchange import TRAINER, Array, Combined, Combining, Gather, Given, Layout
from systems.training.exchange._residual import keeping, with_residual


@dataclass(frozen=True, kw_only=True)
class Method:
    """Sends each number as plus or minus the mean magnitude of its block, and keeps the difference for the next step.

    A block is at most `block` numbers of one parameter. Promises that all ranks hold the same bits after each step: they add
    what all have sent in the order of ranks. Costs about parameters / 8 bytes from each rank to each other.
    """

    block: int = 1024

    repeatable: ClassVar[bool] = False
    trainer: ClassVar[str] = TRAINER
    batches: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.block < 1:
            raise UsageError(f"Training(exchange='one-bit(block={self.block})'): a block has at least 1 number.")

    def combine(self, given: Given) -> Combining:
        gradient = with_residual(given)
        begins = self._begins(given.layout)
        sizes = np.diff(np.append(begins, len(gradient)))
        scales = self.scales(gradient, begins, sizes)
        signs = np.packbits(gradient >= 0)
        gathered = yield Gather(np.concatenate([part.view(np.uint8) for part in (scales, given.total[-1:], signs)]))
        total = np.zeros(len(gradient) + 1, dtype=np.float32)
        for sent in gathered:
            numbers = sent[: 4 * len(scales) + 4].view(np.float32)
            total[:-1] += _plus_or_minus(sent[4 * len(scales) + 4 :], np.repeat(numbers[:-1], sizes))
            total[-1] += numbers[-1]
        return Combined(total=total, state=keeping(given, gradient - _plus_or_minus(signs, np.repeat(scales, sizes))))

    def scales(self, gradient: Array, begins: Array, sizes: Array) -> Array:
        """The mean magnitude of each block's numbers."""
        return (np.add.reduceat(np.abs(gradient), begins) / sizes).astype(np.float32)

    def _begins(self, layout: Layout) -> Array:
        return np.concatenate([np.arange(part.start, part.stop, self.block) for part in layout.slices])


def _plus_or_minus(signs: Array, sizes: Array) -> Array:
    """Numbers of these magnitudes, negative if their bit is 0."""
    return np.where(np.unpackbits(signs, count=len(sizes)), sizes, -sizes)
