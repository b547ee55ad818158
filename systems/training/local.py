"""A rank's part of a round of local steps: its own optimizer works alone, and its progress is its contribution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import torch

from systems.parts.sampler import Use, key
from systems.training.exchange import Array, Combined, Given, State
from systems.training.trainer import Applied, Trainer

_ALONE: Final = 2**33
"""Stands for the shard in the keys of inner steps."""


class LocalTrainer(Trainer):
    """A step is a round. Between rounds all ranks have the same parameters; the inner optimizer's state is this rank's own."""

    _inner: dict[str, Array] | None = None
    """The inner optimizer's state after the current round."""

    def contribute(self, shards: Sequence[int], into: torch.Tensor, *, before_each: Callable[[], None] = lambda: None) -> None:
        """Do the inner steps of the next round with these shards' samples, and undo them again.

        `into[0]` becomes the first parameters minus the last ones, times the number of this rank's samples in the round,
        followed by the sum of the losses; the other rows become 0. It takes the samples of each shard in order.
        """
        begun = [parameter.detach().clone() for parameter in self._parameters.values()]
        self._restore_optimizer({name: torch.from_numpy(array) for name, array in self.state.private.items()})
        uses = [[use.sample for use in self.order.uses(self.step, shard)] for shard in shards]
        size = self.order.shard_size // self.method.batches
        losses = 0.0
        try:
            for inner in range(self.method.batches):
                before_each()
                self._seed(key(self.order.seed, self.step * self.method.batches + inner, _ALONE + shards[0]))
                samples = [sample for used in uses for sample in used[inner * size : (inner + 1) * size]]
                loss = self.task.loss(self._model, samples)
                gradients = torch.autograd.grad(loss / len(samples), list(self._parameters.values()))
                for parameter, gradient in zip(self._parameters.values(), gradients, strict=True):
                    parameter.grad = gradient
                self.optimizer.step()
                losses += float(loss.detach())
            ways = [(first - last.detach()).reshape(-1) for first, last in zip(begun, self._parameters.values(), strict=True)]
            self._inner = {name: np.array(tensor.numpy()) for name, tensor in self._optimizer_tensors().items()}
        finally:
            self._put(begun)
        into.zero_()
        into[0, :-1] = torch.cat(ways) * sum(map(len, uses))
        into[0, -1] = losses

    def given(self, rows: Array, rank: int, dealt: tuple[range, ...]) -> Given:
        given = super().given(rows, rank, dealt)
        private = self.state.private if self._inner is None else self._inner
        return Given(
            rows=given.rows, rank=rank, dealt=dealt, layout=given.layout,
            state=State(shared=given.state.shared, private=private),
        )  # fmt: skip

    def _update(self, gradient: torch.Tensor) -> None:
        ways = self._parts(gradient)
        self._put([parameter.detach() - way for parameter, way in zip(self._parameters.values(), ways, strict=True)])

    def _put(self, values: Sequence[torch.Tensor]) -> None:
        with torch.no_grad():
            for parameter, value in zip(self._parameters.values(), values, strict=True):
                parameter.copy_(value)

    def tensors(self) -> dict[str, torch.Tensor]:
        """The shared tensors, without the inner optimizer's."""
        return {name: tensor for name, tensor in super().tensors().items() if name not in self._optimizer_tensors()}

    def do(self, combined: Combined, uses: Sequence[Use] | None = None) -> Applied:
        self._inner = None
        return super().do(combined, uses)
