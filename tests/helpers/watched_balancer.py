"""Parts of a balancer that are driven by hand, with the invariant checked after each step."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import cast

from systems.parts.retry_budget import RetryBudget
from systems.serving.admission import Admission
from systems.serving.choice_rules import Choices
from systems.serving.coalescing import Gatherer
from systems.serving.dispatch import Dispatcher
from systems.serving.exchanges import Exchanges, Tries
from systems.serving.health import INTERVAL_S, HealthChecker
from systems.serving.invariant import BalancersKeepTheirRules, Shown
from systems.serving.policy import Pool
from systems.serving.settings import Settings

SETTINGS = Settings(ejection_ms=300, longest_ejection_ms=1000, retry_ratio=0.2, retries_per_s=1)
LOOK_S = 0.01


@dataclass
class Sent:
    """As much of a dispatcher as is looked at."""

    admitted: int = 0
    lost: int = 0
    """How many requests too few it counts as let in and not answered."""
    outstanding: int = 0
    wanted: int = 0
    sent: int = 0
    again: int = 0
    most_suspects: int = 0
    past_deadline_s: float = -math.inf
    waits_for: dict[str, int] = field(default_factory=dict)
    choices: Choices = field(default_factory=Choices)
    tries: Tries = field(default_factory=lambda: Tries(0.1))

    ended_at: dict[str, int] = field(default_factory=dict)
    exchanged: defaultdict[str, Exchanges] = field(default_factory=lambda: defaultdict(lambda: Exchanges(slow_s=1.0)))

    def exchanges(self, name: str) -> Exchanges:
        return self.exchanged[name]

    def awaited(self, name: str) -> int:
        return self.waits_for.get(name, 0)

    def ended(self, name: str) -> int:
        return self.ended_at.get(name, 1000)


@dataclass
class Checked:
    passed: Counter[str]
    failed: Counter[str]


@dataclass
class Groups:
    """As much of a gatherer as is looked at."""

    for_nobody: list[str] = field(default_factory=list)


class Balancer:
    """Parts of a balancer, with the invariant checked after each step."""

    def __init__(self, *names: str, pool: type[Pool] = Pool, settings: Settings = SETTINGS) -> None:
        self.now_s = 100.0
        self._settings = settings
        self.pool = pool(names, settings)
        self.sent = Sent()
        self.admission = Admission(0.1)
        self.budget = RetryBudget(SETTINGS.retry_ratio, SETTINGS.retries_per_s)
        self.checked = Checked(Counter(), Counter())
        self.groups = Groups()
        self._invariant = BalancersKeepTheirRules()

    def look(self, after_s: float = LOOK_S) -> str | None:
        self.now_s += after_s
        self.sent.outstanding = self.pool.outstanding() - self.sent.lost
        shown = Shown(
            now_s=self.now_s,
            settings=self._settings,
            pool=self.pool,
            dispatcher=cast(Dispatcher, self.sent),
            gatherer=cast(Gatherer, self.groups),
            admission=self.admission,
            retry_budget=self.budget,
            checker=cast(HealthChecker, self.checked),
        )
        return self._invariant.broken({"balancer": shown, "r1": object()})

    def fails(self, name: str, times: int) -> None:
        for _ in range(times):
            self.pool.failed(name, "why", self.now_s)

    def begin(self, name: str, *, times: int = 1) -> None:
        """Begin exchanges of one request each, which do not end."""
        for _ in range(times):
            self.sent.exchanged[name].begun(self.pool.sent(name, self.now_s))
        self.sent.waits_for[name] = self.sent.waits_for.get(name, 0) + times

    def exchange(self, name: str, *, ok: bool = True, times: int = 1) -> None:
        """Exchanges of one request each."""
        for _ in range(times):
            permit = self.pool.sent(name, self.now_s)
            self.sent.exchanged[name].begun(permit)
            if ok:
                self.pool.answered(name, self.now_s, permit=permit)
            else:
                self.pool.failed(name, "why", self.now_s, permit=permit)
            self.sent.exchanged[name].ended(permit, failed=not ok, took_s=0.0)

    def open(self, *names: str) -> None:
        """Have the breakers of these replicas open, without any failures in a row."""
        for name in names:
            for _ in range(20):
                self.exchange(name, ok=False)
                self.exchange(name)

    def check(self, name: str, *, good: bool, times: int = 1) -> None:
        for _ in range(times):
            self.now_s += INTERVAL_S
            (self.checked.passed if good else self.checked.failed)[name] += 1
            if good:
                self.pool.check_passed(name, self.now_s)
            else:
                self.pool.check_failed(name, "why", self.now_s)


def looked_at(*names: str, pool: type[Pool] = Pool, settings: Settings = SETTINGS) -> Balancer:
    """A balancer that has just started."""
    balancer = Balancer(*names, pool=pool, settings=settings)
    assert balancer.look() is None
    return balancer
