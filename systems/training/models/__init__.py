"""The tasks to train: one file each, found by its name. It defines the samples, the model, the optimizer and the loss."""

from __future__ import annotations

import importlib
import inspect
from typing import Protocol, cast

import torch
from torch import nn

from harness.model.errors import UsageError
from systems.training.model_names import parsed


class Task(Protocol):
    """A task to train. Two tasks made from the same data behave identically, bit for bit."""

    samples: int
    """The number of training samples, which are numbered 0, 1, …"""
    batch: int
    """The number of samples in a step."""
    shards: int
    """The number of virtual shards of a batch."""

    def data(self) -> str:
        """A digest of the samples, including the held-out ones."""

    def to(self, device: torch.device) -> None:
        """Move the samples to the device where models compute."""

    def model(self) -> nn.Module:
        """The untrained model, on the CPU; its first weights come from torch's own random numbers."""

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer: ...

    def loss(self, model: nn.Module, samples: list[int]) -> torch.Tensor:
        """The sum of the samples' losses."""

    def quality(self, model: nn.Module) -> tuple[str, float]:
        """The name of a measure, and its value for a trained model on samples that it never saw."""


def task(text: str) -> Task:
    """The task of this name, and of the size in parentheses if there is one. Raises `UsageError` if there is no such task."""
    name, size = parsed(text)
    kind = importlib.import_module(f"{__name__}.{name}").Task
    if size is None:
        return cast(Task, kind())
    if not inspect.signature(kind).parameters:
        raise UsageError(f"The model {name!r} comes in one size: {text!r} is not one. Use {name!r}.")
    return cast(Task, kind(size))
