"""Broken trainers, each wrong in one way."""

from __future__ import annotations

import torch

from systems.parts.checkpoint.store import Checkpoint
from systems.parts.sampler import Ledger, key
from systems.training.local import LocalTrainer
from systems.training.trainer import SHARED, Trainer


class RandomByPlace(Trainer):
    """Gives each sample different random numbers if the number of ranks is different."""

    def key(self, shard: int, place: int) -> int:
        return key(self.order.seed, self.step, place)


class ForgetsMomentum(Trainer):
    """Has only the model in its state."""

    def tensors(self) -> dict[str, torch.Tensor]:
        return {name: tensor for name, tensor in super().tensors().items() if name.startswith("model/")}


class ForgetsStep(Trainer):
    """Resumes trained parameters, but the data from its beginning."""

    def resume(self, checkpoint: Checkpoint, rank: str = "") -> None:
        super().resume(checkpoint, rank)
        self.ledger = Ledger()


class ForgetsPrivate(Trainer):
    """Saves only what all ranks share, and nothing of a single rank."""

    def private_tensors(self, rank: str) -> dict[str, torch.Tensor]:
        return {}


class ForgetsShared(LocalTrainer):
    """Has model and optimizer in its state, but nothing of the method of exchange."""

    def tensors(self) -> dict[str, torch.Tensor]:
        return {name: tensor for name, tensor in super().tensors().items() if not name.startswith(SHARED)}
