"""Methods of exchange without a network: all members in lockstep."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from systems.parts.sampler import shards_of
from systems.training.exchange import Array, Combined, Combining, Gather, Given, Layout, State


def dealt(world: int, shards: int = 12) -> tuple[range, ...]:
    """The shards of each member."""
    return tuple(shards_of(rank, world, shards) for rank in range(world))


def given(rows: Array, rank: int, world: int, layout: Layout, state: State | None = None) -> Given:
    """A member's contribution of a batch's rows, (shards, numbers + 1)."""
    each = dealt(world, len(rows))
    mine = np.zeros((max(map(len, each)), rows.shape[1]), dtype=np.float32)
    mine[: len(each[rank])] = rows[list(each[rank])]
    return Given(rows=mine, rank=rank, dealt=each, layout=layout, state=state or State())


def exchanged(combining: Sequence[Combining]) -> list[Combined]:
    """The result of each member."""
    answers: list[Array | None] = [None] * len(combining)
    while True:
        ends: list[Combined] = []
        asked = []
        for each, answer in zip(combining, answers, strict=True):
            try:
                asked.append(each.send(answer))  # type: ignore[arg-type] # None starts a generator
            except StopIteration as end:
                ends.append(end.value)
        if ends:
            assert not asked, "all members ask for the same"
            return ends
        assert len({(type(one), one.mine.shape, one.mine.dtype) for one in asked}) == 1
        mine = [one.mine for one in asked]
        whole = np.stack(mine) if isinstance(asked[0], Gather) else np.add.reduce(mine)
        answers = [whole.copy() for _ in combining]
