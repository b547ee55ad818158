"""The weight of an update in the modes without rounds, so that they learn with the model's own settings.

While a worker computes a gradient, others change the parameters. If each gradient is applied with the model's full rate and
momentum, a training of four workers does not learn. Three published rules together solve that:

- A worker's batch is a part of the model's batch, split into about as many parts as there are workers. So gradients are usually
  less than a batch of samples behind, however many workers there are (Gupta, Zhang, Wang: "Model Accuracy and Runtime Tradeoff
  in Distributed Deep Learning", ICDM 2016: keep batch size times workers constant).
- The rate is divided by the staleness (Zhang, Gupta, Lian, Liu: "Staleness-aware Async-SGD for Distributed Deep Learning",
  IJCAI 2016), and at least by the number of parts.
- The optimizer's own momentum is left out, because asynchrony acts like momentum (Mitliagkas, Zhang, Hadjis, Ré: "Asynchrony
  begets Momentum", Allerton 2016). The rate is higher by 1 / (1 - momentum), so that a gradient finally moves the parameters as
  far.

All of this follows from the record of an update, so a checkpoint needs only the optimizer's state.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from systems.parameter_server.bugs import CORRECT, Rules
from systems.parts.sampler import Use
from systems.training.trainer import Applied, Trainer


def update_trainer(kind: type[Trainer], model: str, seed: int, parts: int) -> Trainer:
    """A trainer whose steps are updates, each with one of `parts` parts of the model's batch."""
    trainer = kind(model, seed, parts=parts)
    for group in trainer.optimizer.param_groups:
        if "momentum" in group:
            group["lr"] /= 1 - group["momentum"]
            group["momentum"] = 0.0
        else:  # Adam's momentum is a mean, not a sum: without it a gradient moves the parameters as far
            group["betas"] = (0.0, group["betas"][1])
    return trainer


def weight(behind: int, parts: int, rules: Rules = CORRECT) -> float:
    """The share of the rate for an update that is `behind` other updates, which its parameters did not hold."""
    if not rules.rate_shared:
        return 1.0
    return 1 / max(parts, behind + 1 if rules.staleness_weighed else 1)


def apply_update(trainer: Trainer, gradient: torch.Tensor, uses: Sequence[Use], weight: float) -> Applied:
    """Do the next step with one worker's gradient and loss, with a share of the optimizer's rate."""
    groups = trainer.optimizer.param_groups
    rates = [group["lr"] for group in groups]
    for group, rate in zip(groups, rates, strict=True):
        group["lr"] = rate * weight
    try:
        return trainer.apply([gradient], uses)
    finally:
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate
