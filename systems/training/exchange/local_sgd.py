"""Several steps at each rank alone, then one step of all ranks: the mean of their progress, with momentum.

Stich, "Local SGD Converges Fast and Communicates Little", ICLR 2019; the outer optimizer: Douillard et al., "DiLoCo:
Distributed Low-Communication Training of Language Models", 2023.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.model.errors import UsageError
from systems.training.exchange import Combined, Combining, Given, State, Sum

_MOMENTUM = "momentum"


@dataclass(frozen=True, kw_only=True)
class Method:
    """A step is a round: `batches` steps of each rank's own optimizer on its part of as many batches, then an all-reduce.

    The ranks average, weighted by samples, the change of their parameters in the round, and make a step of it with Nesterov's
    momentum. Promises that all ranks hold the same bits after each round. Each rank has its own inner optimizer's state.
    """

    batches: int = 8
    momentum: float = 0.0
    """The momentum of the outer step; DiLoCo uses 0.9, with a rate of 0.7."""
    rate: float = 1.0
    """The rate of the outer step."""

    repeatable: ClassVar[bool] = False
    trainer: ClassVar[str] = "systems.training.local:LocalTrainer"

    def __post_init__(self) -> None:
        if self.batches < 1 or not 0 <= self.momentum < 1 or not 0 < self.rate <= 2:
            raise UsageError(
                f"Training(exchange='local-sgd(batches={self.batches}, momentum={self.momentum:g}, rate={self.rate:g})'):"
                " batches is at least 1, momentum from 0 to below 1, rate above 0 and at most 2."
            )

    def combine(self, given: Given) -> Combining:
        total = yield Sum(given.total)
        momentum = given.state.shared.get(_MOMENTUM, np.zeros_like(total)) * np.float32(self.momentum) + total
        momentum[-1] = 0  # where the loss is
        way = (total + np.float32(self.momentum) * momentum) * np.float32(self.rate)
        way[-1] = total[-1]
        shared = {_MOMENTUM: momentum} if self.momentum else {}
        return Combined(total=way, state=State(shared=shared, private=given.state.private))
