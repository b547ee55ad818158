"""Admission control: how many requests are let in at once, so that an overloaded system still answers those that it can.

Queueing is told from slowness as in CoDel (Nichols, Jacobson, "Controlling Queue Delay", ACM Queue 2012): by the fastest answer
of an interval, which one slow replica among others cannot raise. The limit follows additive increase and multiplicative
decrease (Chiu, Jain 1989).

That alone reacts too late to a load of several times the capacity: by the time the first late answer shows it, seconds of work
are queued at the replicas, and all of it times out. So no more is let in than the replicas' best recent rate completes within
the bound, as BBR bounds the data in flight by the highest delivery rate seen (Cardwell et al., "BBR: Congestion-Based
Congestion Control", ACM Queue 2016).
"""

from __future__ import annotations

import math
from typing import Final

INTERVAL_S: Final = 0.1
LEAST: Final = 8
"""The limit is never lower than this, and an interval with fewer answers is not judged."""

MOST: Final = 100_000
CUT: Final = 0.8
GROWTH: Final = 0.02
"""An interval that reached the limit raises it by this share …"""

MOST_GROWTHS: Final = 10
FAR_BELOW: Final = 0.1
"""… and by up to `MOST_GROWTHS` times as much if its fastest answer took less than this share of the bound. So a limit that a
pause has cut is back within seconds: at a limit of a few dozen, steps of one would take minutes while the replicas are idle."""

FEW: Final = 1024
"""This many are let in at once at any pace: after a quiet time the pace is not known, and a burst of this size is soon over."""

PACE_S: Final = 30.0
"""The best pace within this time counts. A pause of the replicas does not lower it."""


class Admission:
    """A limit on outstanding requests: an interval whose fastest answer exceeds `overload_s` lowers it. None: no limit."""

    def __init__(self, overload_s: float | None) -> None:
        self.overload_s: Final = overload_s
        self._limit = float(MOST)
        self._interval_from_s: float | None = None
        self._answers = 0
        self._quickest_s = math.inf
        self._most_outstanding = 0
        self._answered = 0
        self._pace_per_s = 0.0
        self._paced_s = -math.inf
        self._most_by_pace = FEW
        self.refused = 0
        """How many requests were turned away."""

    @property
    def limit(self) -> int | None:
        """How many requests may be outstanding; None if there is no limit."""
        return None if self.overload_s is None else min(int(self._limit), self._most_by_pace)

    def admit(self, outstanding: int, requests: int = 1) -> int:
        """How many of these requests to let in. `outstanding`: how many were let in and have no answer yet."""
        self._most_outstanding = max(self._most_outstanding, outstanding + requests - 1)
        if (limit := self.limit) is None:
            return requests
        admitted = min(requests, max(0, limit - outstanding))
        self.refused += requests - admitted
        return admitted

    def answered(self, latency_s: float, now_s: float, requests: int = 1) -> None:
        """A replica answered this many requests (0 if the try failed) `latency_s` after it was asked."""
        if self.overload_s is None:
            return
        self._answers += 1
        self._answered += requests
        self._quickest_s = min(self._quickest_s, latency_s)
        if self._interval_from_s is None:
            self._interval_from_s = now_s
        elif self._answers >= LEAST and now_s >= self._interval_from_s + INTERVAL_S:
            self._adjust(self.overload_s)
            self._keep_pace(self.overload_s, self._answered / (now_s - self._interval_from_s), now_s)
            self._interval_from_s, self._answers, self._quickest_s, self._most_outstanding = now_s, 0, math.inf, 0
            self._answered = 0

    def _adjust(self, overload_s: float) -> None:
        if self._quickest_s > overload_s:
            self._limit = max(LEAST, CUT * min(self._limit, self._most_outstanding))
        elif self._most_outstanding >= int(self._limit):
            growths = min(MOST_GROWTHS, max(1.0, FAR_BELOW * overload_s / max(self._quickest_s, 1e-9)))
            self._limit = min(MOST, self._limit + max(1.0, GROWTH * growths * self._limit))

    def _keep_pace(self, overload_s: float, pace_per_s: float, now_s: float) -> None:
        if pace_per_s >= self._pace_per_s or now_s > self._paced_s + PACE_S:
            self._pace_per_s, self._paced_s = pace_per_s, now_s
            self._most_by_pace = max(FEW, int(overload_s * pace_per_s))
