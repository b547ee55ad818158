"""Trainers that are wrong in one way each."""

from __future__ import annotations

import torch

from systems.parts.checkpoint.store import Checkpoint
from systems.parts.sampler import Ledger, key
from systems.training.trainer import Trainer


class RandomByPlace(Trainer):
    """Another number of ranks, and each sample has other random numbers."""

    def key(self, shard: int, place: int) -> int:
        return key(self.order.seed, self.step, place)


class ForgetsMomentum(Trainer):
    """The state is the model's alone."""

    def tensors(self) -> dict[str, torch.Tensor]:
        return {name: tensor for name, tensor in super().tensors().items() if name.startswith("model/")}


class ForgetsStep(Trainer):
    """Trained parameters, and the data from its beginning."""

    def resume(self, checkpoint: Checkpoint) -> None:
        super().resume(checkpoint)
        self.ledger = Ledger()
