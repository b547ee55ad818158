"""Carries the messages of a method of exchange over a group."""

from __future__ import annotations

from collections.abc import Callable

import torch

from systems.training.exchange import Array, Combined, Combining, Gather, Sum


class Carrier:
    """The members of one generation, as a method sees them. It reuses its buffers in each step."""

    def __init__(
        self,
        *,
        world: int,
        gather: Callable[[torch.Tensor, torch.Tensor], None],
        add: Callable[[torch.Tensor], None],
    ) -> None:
        """`gather` and `add` work like `Group.gather` and `Group.sum`."""
        self._world = world
        self._gather = gather
        self._add = add
        self._buffers: dict[tuple[torch.Size, torch.dtype], torch.Tensor] = {}

    def carry(self, combining: Combining) -> Combined:
        """Carry out everything the method asks for, and return its result. Raises what `gather` and `add` raise."""
        answer: Array | None = None
        while True:
            try:
                asked = combining.send(answer)  # type: ignore[arg-type] # None starts a generator
            except StopIteration as end:
                combined: Combined = end.value
                return combined
            answer = self._answer(asked)

    def _answer(self, asked: Gather | Sum) -> Array:
        mine = torch.from_numpy(asked.mine)
        if isinstance(asked, Gather):
            into = self._buffer(mine)
            self._gather(mine, into)
            return into.numpy()
        carried = mine.bfloat16() if asked.half else mine.clone()
        self._add(carried)
        return carried.float().numpy()

    def _buffer(self, mine: torch.Tensor) -> torch.Tensor:
        kind = mine.shape, mine.dtype
        if kind not in self._buffers:
            self._buffers[kind] = torch.empty(self._world, *mine.shape, dtype=mine.dtype)
        return self._buffers[kind]
