"""Trainers that are wrong in one way each."""

from __future__ import annotations

import torch

from systems.parts.checkpoint.store import Checkpoint
from systems.parts.sampler import Ledger, key
from systems.training.local import LocalTrainer
from systems.training.trainer import SHARED, Trainer


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

    def resume(self, checkpoint: Checkpoint, rank: str = "") -> None:
        super().resume(checkpoint, rank)
        self.ledger = Ledger()


class ForgetsPrivate(Trainer):
    """A checkpoint holds what all ranks share, and nothing that is one rank's own."""

    def private_tensors(self, rank: str) -> dict[str, torch.Tensor]:
        return {}


class ForgetsShared(LocalTrainer):
    """The state is the model's and the optimizer's; what the method of exchange carries on is neither sent nor saved."""

    def tensors(self) -> dict[str, torch.Tensor]:
        return {name: tensor for name, tensor in super().tensors().items() if not name.startswith(SHARED)}
