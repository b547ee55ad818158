"""Counts what became of exchanges with replicas, independently of breakers and admission control, to compare the counts."""

from __future__ import annotations

import math

from systems.parts.breaker import Permit
from systems.parts.breaker_watch import Calls


class Tries:
    """Counts the tries that are reported to admission control. A try that took longer than `overload_s` is late."""

    def __init__(self, overload_s: float | None) -> None:
        self._overload_s = math.inf if overload_s is None else overload_s
        self.all = self.late = 0

    def ended(self, took_s: float) -> None:
        self.all += 1
        self.late += took_s > self._overload_s


class Exchanges:
    """The exchanges with one replica so far, each of one or more requests. Pass the permit that each one had, if any.

    `slow_s` is the breaker's, below which no exchange is slow.
    """

    def __init__(self, slow_s: float) -> None:
        self._slow_s = slow_s
        self.unpermitted = 0
        """How many were begun without a permit: the breaker did not give one, or is switched off."""
        self._awaited = self._ended = self._failed = self._given_up = self._slow = 0

    @property
    def permitted(self) -> Calls:
        """What became of those that the breaker permitted."""
        return Calls(self._awaited, self._ended, self._failed, self._given_up, self._slow, self.unpermitted)

    @property
    def all(self) -> int:
        return self.permitted.begun + self.unpermitted

    def begun(self, permit: Permit | None) -> None:
        if permit is None:
            self.unpermitted += 1
        else:
            self._awaited += 1

    def ended(self, permit: Permit | None, *, failed: bool, took_s: float) -> None:
        """All of its requests were answered, or some failed."""
        if permit is not None:
            self._awaited -= 1
            self._ended += 1
            self._failed += failed
            self._slow += took_s >= self._slow_s

    def given_up(self, permit: Permit | None) -> None:
        """It was cancelled, or had too little time to say anything about the replica."""
        if permit is not None:
            self._awaited -= 1
            self._given_up += 1
