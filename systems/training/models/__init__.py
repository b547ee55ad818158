"""What is trained: one file a task, found by its name. It says what the samples, the model, the optimizer and the loss are."""

from __future__ import annotations

import importlib
import inspect
from typing import Protocol, cast

import torch
from torch import nn

from harness.model.errors import UsageError
from systems.training.model_names import parsed


class Task(Protocol):
    """Something to be trained. Two made from the same data behave alike, bit for bit."""

    samples: int
    """How many there are to train on; they are called 0, 1, …"""
    batch: int
    """Samples a step."""
    shards: int
    """Virtual shards of a batch."""

    def data(self) -> str:
        """A digest of the samples, those held out included."""

    def to(self, device: torch.device) -> None:
        """Keep the samples on a device, where models are to compute."""

    def model(self) -> nn.Module:
        """The untrained model, on the CPU; its first weights come from torch's own random numbers."""

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer: ...

    def loss(self, model: nn.Module, samples: list[int]) -> torch.Tensor:
        """The sum of the samples' losses."""

    def quality(self, model: nn.Module) -> tuple[str, float]:
        """How good a trained model is on samples that it never saw, and of what that is the measure."""


def task(text: str) -> Task:
    """The task of that name, and of that size if it has one in brackets. Raises `UsageError` if there is none."""
    name, size = parsed(text)
    kind = importlib.import_module(f"{__name__}.{name}").Task
    if size is None:
        return cast(Task, kind())
    if not inspect.signature(kind).parameters:
        raise UsageError(f"The model {name!r} comes in one size: {text!r} is not one. Use {name!r}.")
    return cast(Task, kind(size))
