"""A budget for retries, so that they cannot multiply the load of a system that fails because it is overloaded.

After Finagle's RetryBudget and "Site Reliability Engineering" (Beyer et al. 2016), chapter 21, "Deciding to Retry".
"""

from __future__ import annotations

import math
from typing import Final

KEPT_S: Final = 10.0
"""The time constant of the balance's exponential decay: after this long, 37% of it is left."""


class RetryBudget:
    """Each request earns `ratio` of a retry, each second `per_s`; each retry costs one. A ratio of None means no limit."""

    def __init__(self, ratio: float | None, per_s: float = 0.0) -> None:
        self._ratio = ratio
        self._per_s = per_s
        self._balance = per_s * KEPT_S
        self._last_s: float | None = None
        self.spent = 0
        """How many retries were allowed."""
        self.refused = 0
        """How many retries were refused."""

    @property
    def balance(self) -> float:
        """How many retries could be spent now."""
        return math.inf if self._ratio is None else self._balance

    def earn(self, requests: int, now_s: float) -> None:
        """Credit this many requests that arrived (not counting retries)."""
        if self._ratio is not None:
            self._pass_time(now_s)
            self._balance += self._ratio * requests

    def spend(self, retries: int, now_s: float) -> int:
        """How many of these retries may be sent now. The allowed ones are spent."""
        allowed = retries
        if self._ratio is not None:
            self._pass_time(now_s)
            allowed = min(retries, int(self._balance))
            self._balance -= allowed
        self.spent += allowed
        self.refused += retries - allowed
        return allowed

    def _pass_time(self, now_s: float) -> None:
        passed_s = 0.0 if self._last_s is None else now_s - self._last_s
        if self._last_s is None or passed_s > 0:
            self._last_s = now_s
            kept = math.exp(-passed_s / KEPT_S)
            self._balance = self._balance * kept + self._per_s * KEPT_S * (1 - kept)
