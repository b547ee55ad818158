"""What `RetryBudgetRules` says of a budget: nothing of a correct one, whatever is asked of it, and what others do wrong."""

from __future__ import annotations

from random import Random

import pytest

from systems.parts.retry_budget import RetryBudget
from systems.serving.retry_budget_rules import RetryBudgetRules
from systems.serving.settings import Settings

LOOK_S = 0.01


class Forgetful(RetryBudget):
    """Every third request earns nothing."""

    def earn(self, requests: int, now_s: float) -> None:
        super().earn(requests - requests // 3, now_s)


class Generous(RetryBudget):
    """Only every other retry costs something."""

    def spend(self, retries: int, now_s: float) -> int:
        allowed = super().spend(retries, now_s)
        self._balance += allowed // 2
        return allowed


class Keen(RetryBudget):
    """A retry costs twice as much."""

    def spend(self, retries: int, now_s: float) -> int:
        allowed = super().spend(retries, now_s)
        self._balance = max(0.0, self._balance - allowed)
        return allowed


class Thrifty(RetryBudget):
    """Nothing decays while requests come."""

    def earn(self, requests: int, now_s: float) -> None:
        self._last_s = now_s
        super().earn(requests, now_s)


def watched(kind: type[RetryBudget], seed: int, *, lag_s: float = 0.0) -> str | None:
    """What is wrong at first with a budget in a random run of two minutes; None if nothing is."""
    random = Random(seed)
    settings = Settings(retry_ratio=random.choice((0.1, 1.0)), retries_per_s=random.choice((0.0, 1.0, 20.0)))
    assert settings.retry_ratio is not None
    budget = kind(settings.retry_ratio, settings.retries_per_s)
    rules, admitted = RetryBudgetRules(budget, 0.0), 0
    for step in range(1, round(120 / LOOK_S)):
        at_s = step * LOOK_S
        event_s = max(0.0, at_s - random.uniform(0, lag_s or LOOK_S))
        if random.random() < (0.3 if step // 2000 % 2 else 0.01):
            requests = random.randint(1, 60)
            admitted += requests
            budget.earn(requests, event_s)
        if random.random() < (0.1 if step // 1500 % 2 else 0.001):
            budget.spend(random.randint(1, 20), event_s)
        if (why := next(rules.look(at_s, budget, admitted, settings), None)) is not None:
            return why
    return None


@pytest.mark.parametrize("lag_s", [0.0, 0.9])
@pytest.mark.parametrize("seed", range(15))
def test_nothing_is_wrong_with_a_correct_budget(seed: int, lag_s: float) -> None:
    assert watched(RetryBudget, seed, lag_s=lag_s) is None


@pytest.mark.parametrize("kind", [Forgetful, Generous, Keen, Thrifty])
def test_a_budget_has_what_was_earned_less_what_was_spent(kind: type[RetryBudget]) -> None:
    found = [why for seed in range(15) if (why := watched(kind, seed)) is not None]
    assert len(found) >= 12
    assert all("in the budget" in why or "retries were refused" in why for why in found)
