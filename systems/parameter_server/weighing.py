"""What an update weighs in the modes without rounds, so that they learn with the model's own settings.

A gradient is computed with parameters that others change meanwhile. If each is applied with the model's whole rate and
momentum, a training of four workers does not learn. Three published rules together mend that:

- A worker's batch is a part of the model's batch, split into about as many parts as there are workers. So gradients are usually
  less than a batch of samples behind, however many workers there are (Gupta, Zhang, Wang: "Model Accuracy and Runtime Tradeoff
  in Distributed Deep Learning", ICDM 2016: batch size times workers is to stay the same).
- The rate is divided by the staleness (Zhang, Gupta, Lian, Liu: "Staleness-aware Async-SGD for Distributed Deep Learning",
  IJCAI 2016), and at least by the number of parts.
- The optimizer's own momentum is left out: asynchrony acts as one (Mitliagkas, Zhang, Hadjis, Ré: "Asynchrony begets Momentum",
  Allerton 2016). The rate is that much higher, 1 / (1 - momentum), so that a gradient moves the parameters as far in the end.

All of it follows from what is recorded of an update, so a checkpoint holds no more than the optimizer's state.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from systems.parameter_server.bugs import CORRECT, Rules
from systems.parts.sampler import Use
from systems.training.trainer import Applied, Trainer


def update_trainer(kind: type[Trainer], model: str, seed: int, parts: int) -> Trainer:
    """A trainer whose steps are updates, each of one of so many parts of the model's batch."""
    trainer = kind(model, seed, parts=parts)
    for group in trainer.optimizer.param_groups:
        if "momentum" in group:
            group["lr"] /= 1 - group["momentum"]
            group["momentum"] = 0.0
        else:  # Adam's is a mean, not a sum: without it a gradient moves the parameters as far
            group["betas"] = (0.0, group["betas"][1])
    return trainer


def weight(behind: int, parts: int, rules: Rules = CORRECT) -> float:
    """The share of the rate for an update before which so many others came, after those that its parameters held."""
    if not rules.rate_shared:
        return 1.0
    return 1 / max(parts, behind + 1 if rules.staleness_weighed else 1)


def apply_update(trainer: Trainer, gradient: torch.Tensor, uses: Sequence[Use], weight: float) -> Applied:
    """Do the next step with one worker's gradient and loss, at a share of the optimizer's rate."""
    groups = trainer.optimizer.param_groups
    rates = [group["lr"] for group in groups]
    for group, rate in zip(groups, rates, strict=True):
        group["lr"] = rate * weight
    try:
        return trainer.apply([gradient], uses)
    finally:
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate
