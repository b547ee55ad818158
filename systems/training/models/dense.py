"""Dense layers of any size on the digits, to show what a training costs as its model grows.

`dense(963)` has a million parameters.
"""

from __future__ import annotations

from typing import Final

from torch import nn

from systems.training.models import digits

_HIDDEN: Final = 281
"""100,000 parameters."""


class Task(digits.Task):
    """Two hidden layers of h units each: h^2 + 76 h + 10 parameters."""

    def __init__(self, hidden: int = _HIDDEN) -> None:
        super().__init__()
        self._hidden = hidden

    def model(self) -> nn.Module:
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(64, self._hidden),
            nn.ReLU(),
            nn.Linear(self._hidden, self._hidden),
            nn.ReLU(),
            nn.Linear(self._hidden, 10),
        )
