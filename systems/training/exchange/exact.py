"""Sends every shard's gradient to all ranks, which add them in the order of the shards: the same bits for any distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from systems.training.exchange import TRAINER, Array, Combined, Combining, Gather, Given


@dataclass(frozen=True, kw_only=True)
class Method:
    """Each rank sends its shards' gradients, never merged, and adds those of all ranks in the order of the shards.

    Promises the bits of the undisturbed training, whatever happens to ranks. Costs shards x parameters x 4 bytes a step.
    """

    repeatable: ClassVar[bool] = True
    trainer: ClassVar[str] = TRAINER
    batches: ClassVar[int] = 1

    def combine(self, given: Given) -> Combining:
        gathered = yield Gather(given.rows)
        total = np.zeros(given.rows.shape[1], dtype=np.float32)
        for row in self.rows(given.dealt, gathered):
            total += row
        return Combined(total=total, state=given.state)

    def rows(self, dealt: tuple[range, ...], gathered: Array) -> list[Array]:
        """The contributions of all members, in the order of shards; `gathered[r][i]` is member r's i-th shard."""
        found = {shard: gathered[rank][place] for rank, shards in enumerate(dealt) for place, shard in enumerate(shards)}
        return [found[shard] for shard in sorted(found)]
