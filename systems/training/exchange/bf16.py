"""An all-reduce of gradients rounded to bfloat16, like DDP's `bf16_compress_hook`: half the bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from systems.training.exchange import TRAINER, Array, Combined, Combining, Given, Sum


@dataclass(frozen=True, kw_only=True)
class Method:
    """Carries and adds numbers with the exponents of float32 and 8 bits of mantissa.

    Promises that all ranks hold the same bits after each step. The loss travels as two such numbers; the second is the
    rounding error of the first.
    """

    repeatable: ClassVar[bool] = False
    trainer: ClassVar[str] = TRAINER
    batches: ClassVar[int] = 1

    def combine(self, given: Given) -> Combining:
        mine = given.total
        loss = rounded(mine[-1:])
        total = yield Sum(np.concatenate([mine[:-1], loss, mine[-1:] - loss]), half=True)
        return Combined(total=np.concatenate([total[:-2], total[-2:].sum(keepdims=True)]), state=given.state)


def rounded(numbers: Array) -> Array:
    """float32 numbers with all but the first 16 bits cut off, as in bfloat16."""
    return (numbers.astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
