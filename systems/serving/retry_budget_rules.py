"""The invariants of a balancer's retry budget: it holds what recent requests have earned, less what retries cost."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from systems.parts.retry_budget import KEPT_S, RetryBudget
from systems.serving.settings import Settings

ROUGHLY: Final = 1.01
"""The factor by which what is computed from looks every few milliseconds may be off."""

LAG_S: Final = 1.0
"""A balancer that gets no CPU may finish a request or a check this long after the time that it noted for it."""


class _Decaying:
    """Bounds on a decaying sum. An amount that is added came since the last look, or up to `LAG_S` before that."""

    def __init__(self, now_s: float) -> None:
        self.least = self.most = self._sum = 0.0
        self._least_s = self._sum_s = now_s

    def add(self, amount: float, looked_s: float, now_s: float) -> None:
        """`looked_s` is the time of the previous look."""
        least = amount * math.exp(-(now_s - looked_s + LAG_S) / KEPT_S)
        self.least = self.least * math.exp(-(now_s - self._least_s) / KEPT_S) + least
        self._sum *= math.exp(-(looked_s - self._sum_s) / KEPT_S)
        self.most = self._sum * math.exp(LAG_S / KEPT_S) + amount
        self._sum += amount
        self._least_s, self._sum_s = now_s, looked_s


class RetryBudgetRules:
    """Checks one balancer's budget at each look: it is never overdrawn, it holds what recent requests have earned less what
    retries cost, and it refuses no retry that it could pay for.

    If nothing else happens, what each second adds keeps the balance at one level, so only the rest is tracked.
    """

    def __init__(self, budget: RetryBudget, now_s: float) -> None:
        self._earned, self._cost = _Decaying(now_s), _Decaying(now_s)
        self._admitted = 0
        self._spent, self._refused = budget.spent, budget.refused
        self._looked_s = now_s

    def look(self, now_s: float, budget: RetryBudget, admitted: int, settings: Settings) -> Iterator[str]:
        """What is wrong by now, if anything. `admitted` requests were let in so far."""
        ratio, balance = settings.retry_ratio, budget.balance
        if ratio is None:
            return
        came, spent, refused = admitted - self._admitted, budget.spent - self._spent, budget.refused - self._refused
        if refused:
            # Nothing was left when it refused; on a slow machine that may have been long before the last look.
            since = ratio * came + settings.retries_per_s * (now_s - self._looked_s + LAG_S)
            if balance > 1 + since:
                yield f"retries were refused, and the budget has {balance:.1f} left; {since:.1f} may have come since"
        if came or spent or refused:
            self._earned.add(ratio * came, self._looked_s, now_s)
            self._cost.add(spent, self._looked_s, now_s)
        self._admitted, self._spent, self._refused, self._looked_s = admitted, budget.spent, budget.refused, now_s
        level = settings.retries_per_s * KEPT_S
        most = level + self._earned.most * ROUGHLY - self._cost.least / ROUGHLY
        least = level + self._earned.least / ROUGHLY - self._cost.most * ROUGHLY
        if not max(-1e-6, least - 1) <= balance <= most + 1:
            due = f"{least:.1f} to {most:.1f}"
            yield f"{balance:.1f} retries are in the budget; by what was earned and spent of late, {due} are due"
