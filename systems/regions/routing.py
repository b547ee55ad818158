"""Where a region sends a request: home first, then the nearest other healthy region; and whom it lets in. No I/O, no time.

Failover without a limit spreads an outage from region to region: the load that one can no longer serve is too much for the
next. So each region lets in only a limited number of the others' requests at once, a bulkhead (Nygard, "Release It!", 2nd
edition, 2018, chapter 5), and a request is passed on at most once.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Final

from systems.parts.breaker import Breaker, Permit
from systems.regions.bugs import Rules

NEWEST: Final = 0.2
"""The weight of the newest answer in a region's distance."""

LOOK_AGAIN: Final = 50
"""One in this many requests goes to the region that was asked longest ago: it may be back, or no longer be far away."""

REFUSALS: Final = (503, 504)
"""Statuses of a region that cannot serve a request."""

FAILURE: Final = 500
"""An answer with this status or higher that is no refusal is a failure of the region."""


class Route:
    """One place to send requests to: the balancer of this region, or the edge of another one."""

    def __init__(self, name: str, breaker: Breaker) -> None:
        self.name = name
        self.breaker = breaker
        self.distance_s = 0.0
        """How long its answers take, smoothed. First 0, so that it is tried, and after that infinite until its first answer."""
        self.chosen = 0
        """The number of the request for which it was last chosen."""
        self.refused = 0
        """How often the breaker did not permit a request."""
        self._answered = False

    def permit(self) -> Permit | None:
        """The breaker's permit for a request; None if it must not be sent."""
        permit = self.breaker.allow()
        self.refused += permit is None
        return permit

    def asked(self) -> None:
        """It has been sent a request; one is enough to find out how far away it is."""
        if not self._answered:
            self.distance_s = math.inf

    def answered(self, took_s: float) -> None:
        self.distance_s = self.distance_s + NEWEST * (took_s - self.distance_s) if self._answered else took_s
        self._answered = True


class Routes:
    """The way to this region's own balancer, and those to the other regions."""

    def __init__(self, home: Route, others: Sequence[Route], rules: Rules) -> None:
        self.home = home
        self._others = others
        self._rules = rules
        self._requests = 0

    def choose(self, tried: Collection[str]) -> Route | None:
        """Where to send a request that was sent to `tried` before; None if no region is left."""
        if self.home.name not in tried and self.home.breaker.ready:
            return self.home
        if not self._rules.travels or (self._rules.one_region_only and len(set(tried) - {self.home.name}) > 0):
            return None
        open_ways = [route for route in self._others if route.name not in tried and route.breaker.ready]
        if not open_ways:
            return None
        self._requests += 1
        if self._requests % LOOK_AGAIN == 0:
            way = min(open_ways, key=lambda route: route.chosen)
        else:
            best = min if self._rules.nearest_first else max
            way = best(open_ways, key=lambda route: route.distance_s)
        way.chosen = self._requests
        return way


class Guests:
    """Limits how many requests of other regions' users are worked on."""

    def __init__(self, most: int, rules: Rules) -> None:
        self._most = most
        self._rules = rules
        self.inside = 0

    def enter(self) -> bool:
        """Let one in if there is room; returns whether there was."""
        if self._rules.guests_limited and self.inside >= self._most:
            return False
        self.inside += 1
        return True

    def leave(self, *, answered: bool) -> None:
        if answered or self._rules.guests_always_leave:
            self.inside -= 1
