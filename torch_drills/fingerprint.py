"""A short fingerprint of a model, taken from a few of its parameters in microseconds.

A restarted script counts its steps from zero, and decides by itself where to resume. Its parameters show where that is: bit for
bit, they are those after some earlier step.
"""

from __future__ import annotations

import hashlib
from typing import Final

import torch

_TENSORS: Final = 8
_NUMBERS: Final = 8
"""Taken from each of those tensors."""


class Fingerprint:
    """Takes the fingerprint of one optimizer's parameters."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._parameters = _some(
            [one for group in optimizer.param_groups for one in group["params"] if one.requires_grad and one.numel()]
        )
        self._at: list[int] = []
        self._views: list[torch.Tensor] = []

    @property
    def of_a_part(self) -> bool:
        """Whether this process holds only a part of the model, as with FSDP2."""
        return any(_held(one).numel() < one.numel() for one in self._parameters)

    def take(self) -> str:
        """The current fingerprint. Waits for the devices that the parameters are on: once, if it is one."""
        held = [_held(one) for one in self._parameters]
        at = [one.data_ptr() for one in held]
        if at != self._at:  # the first time, or the parameters were replaced
            self._at, self._views = at, [_first_numbers(one.detach()) for one in held]
        if not self._views:
            return ""
        one_device = len({view.device for view in self._views}) == 1
        taken = torch.cat(self._views).cpu() if one_device else torch.cat([view.cpu() for view in self._views])
        return hashlib.blake2b(taken.numpy().tobytes(), digest_size=8).hexdigest()


def _some(parameters: list[torch.Tensor]) -> list[torch.Tensor]:
    """A few, evenly spaced, including the last: the parameters nearest to the loss change first."""
    step = max(1, -(-len(parameters) // _TENSORS))
    return parameters[::-1][::step]


def _held(parameter: torch.Tensor) -> torch.Tensor:
    """What this process holds of a parameter: all of it, or its shard of a DTensor, as in FSDP2.

    `to_local` would be the public way, and takes 30 µs a parameter.
    """
    shard = getattr(parameter, "_local_tensor", None)
    return parameter if shard is None else shard


def _first_numbers(parameter: torch.Tensor) -> torch.Tensor:
    """The bytes of its first numbers, whatever their type: a view, which shows what they become."""
    count = min(_NUMBERS, parameter.untyped_storage().nbytes() // parameter.element_size() - parameter.storage_offset())
    return parameter.as_strided((min(count, parameter.numel()),), (1,)).view(torch.uint8)
