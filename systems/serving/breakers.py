"""Circuit breakers, one for each replica. They catch what consecutive failures do not: a replica that fails or is slow too
often.

A call is slow if it takes many times as long as at the other replicas. If all are slow, the system is overloaded or the machine
is busy, and leaving some out would make it worse for the rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Protocol, TypeVar

from systems.parts.breaker import Breaker, Permit, State
from systems.serving.settings import Settings

WEIGHT: Final = 0.1
"""The weight of the newest call in a replica's usual latency, an exponentially weighted mean."""


class Named(Protocol):
    """A replica, as far as its breaker is concerned."""

    name: str


N = TypeVar("N", bound=Named)


class Breakers:
    """The breakers of all replicas; each call passes the time in. A call is one exchange with a replica, of any size."""

    def __init__(self, names: Sequence[str], settings: Settings, kind: type[Breaker]) -> None:
        self._now_s = 0.0
        self.least_slow_s: Final = settings.breaker.slow_s if settings.breaker else math.inf
        """A call that takes less is never slow."""
        self._slow_times = settings.slow_times
        self._breakers = {name: kind(settings.breaker, lambda: self._now_s) for name in names} if settings.breaker else {}
        self._most_left_out = settings.most_left_out(len(names))
        self._usual_s: dict[str, float] = {}
        self._not_closed: set[str] = set()
        """Nearly always empty, in which case `usable` costs nothing."""

    def usable(self, replicas: list[N], now_s: float) -> list[N]:
        """The replicas whose breakers permit a call; all of them if that would leave too few or none.

        A few replicas cannot carry the whole load. If most breakers are open, sparing their replicas would break the others,
        one after another.
        """
        if not self._not_closed:
            return replicas
        self._now_s = now_s
        usable = [one for one in replicas if one.name not in self._not_closed or self._breakers[one.name].ready]
        return usable if usable and len(replicas) - len(usable) <= self._most_left_out else replicas

    def begun(self, name: str, now_s: float) -> Permit | None:
        """A call to this replica begins. None if its breaker is open or switched off: then the call does not count."""
        if name not in self._breakers:
            return None
        self._now_s = now_s
        return self._breakers[name].allow()

    def ended(self, name: str, permit: Permit, now_s: float, *, failed: bool) -> None:
        """The call ended now."""
        self._now_s = now_s
        took_s = now_s - permit.begun_s
        if failed:
            permit.failed(took_s, slow_s=self._slow_s(name, took_s))
        else:
            permit.ok(took_s, slow_s=self._slow_s(name, took_s))
            usual_s = self._usual_s.get(name, took_s)
            self._usual_s[name] = usual_s + WEIGHT * (took_s - usual_s)
        if self._breakers[name].state == "closed":
            self._not_closed.discard(name)
        else:
            self._not_closed.add(name)

    def went_down(self, name: str) -> None:
        """This replica gets no calls for a while: how long it used to take is no measure for the others any more."""
        self._usual_s.pop(name, None)

    def of(self, name: str, now_s: float) -> Breaker | None:
        """A replica's breaker, to look at; None if breakers are switched off."""
        self._now_s = now_s
        return self._breakers.get(name)

    def state(self, name: str, now_s: float) -> State | None:
        """The state of a replica's breaker; None if breakers are switched off."""
        breaker = self.of(name, now_s)
        return None if breaker is None else breaker.state

    def _slow_s(self, name: str, took_s: float) -> float:
        """The latency below which a call to this replica is not slow: a multiple of the others' median usual latency."""
        if took_s < self.least_slow_s:  # nearly always: it is fast, whatever the others take
            return 0.0
        others_s = sorted(usual_s for other, usual_s in self._usual_s.items() if other != name)
        if not others_s:
            return math.inf
        return self._slow_times * others_s[(len(others_s) - 1) // 2]
