"""How a balancer's limit on outstanding requests may move: down if all answers of an interval were late, and only then."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from systems.serving.admission import CUT, FEW, GROWTH, INTERVAL_S, LEAST, MOST_GROWTHS

_SLACK_S: Final = 1e-6
"""The tolerance with which times are compared, because they are floats."""


class Look(NamedTuple):
    """A limit, and what determines it. Counts are since the balancer's start."""

    at_s: float
    limit: int
    tries: int
    """The tries that were reported to admission control."""
    late: int
    """How many of these were late."""
    admitted: int
    refused: int
    outstanding: int

    @property
    def in_time(self) -> int:
        return self.tries - self.late


class _Span:
    """The time from a look until an interval has certainly ended, which may have begun before the look."""

    def __init__(self, begin: Look) -> None:
        self._begin = begin
        self._last: Look | None = None
        """An interval ends with the first try after this look, unless one has already ended."""

    def has_end(self, look: Look) -> bool:
        """Whether an interval has ended by this look. Each has at least `INTERVAL_S` and `LEAST` tries."""
        if self._last is not None:
            return look.tries > self._last.tries
        if look.at_s > self._begin.at_s + INTERVAL_S and look.tries - self._begin.tries >= LEAST:
            self._last = look
        return False


class _Peak:
    """How many requests were outstanding at most, since the beginning of the interval that ends next."""

    def __init__(self) -> None:
        self._looks: deque[Look] = deque()

    def by(self, look: Look) -> float:
        """If an interval ends right before this look. Infinite if requests were refused meanwhile, since that much was."""
        pairs = list(pairwise([*self._looks, look]))
        if any(after.refused > before.refused for before, after in pairs):
            return math.inf
        return max((before.outstanding + after.admitted - before.admitted for before, after in pairs), default=math.inf)

    def add(self, look: Look) -> None:
        self._looks.append(look)
        while len(self._looks) > 1 and self._has_ended_since(self._looks[1], look):
            self._looks.popleft()

    def _has_ended_since(self, first: Look, last: Look) -> bool:
        """Whether an interval has surely ended between two looks."""
        span = _Span(first)
        return any(span.has_end(one) for one in self._looks if first.at_s < one.at_s <= last.at_s)


class LimitRules:
    """Checks one limit at each look, while it is too low to depend on the replicas' pace:

    - It is lowered only if no try of the interval was in time, and not far below what was outstanding.
    - It must be lowered once a whole interval of tries was late. It must be raised, by little at a time, once a whole interval
      was in time and requests were refused meanwhile; but not if it was not reached.

    When intervals begin and end cannot be seen. But an interval that ends between two looks, and is longer than the time
    between them, contains what is seen there.
    """

    def __init__(self) -> None:
        self._looks: deque[Look] = deque()
        """The looks of the last interval."""
        self._since: Look | None = None
        """Since this look, all tries were late, or all were in time."""
        self._span: _Span | None = None
        """First, the time until an interval has ended, so that the next one is whole; then until the limit must have moved."""
        self._from: Look | None = None
        """The look before the limit has to move, which it must have done by the end of the span."""
        self._last: Look | None = None
        self._peak = _Peak()

    def look(self, look: Look) -> Iterator[str]:
        """What is wrong by now, if anything."""
        looks = self._looks
        while looks and looks[0].at_s < look.at_s - INTERVAL_S + _SLACK_S:
            looks.popleft()
        if looks:
            yield from self._moved(looks[-1], look)
        yield from self._overdue(look)
        looks.append(look)
        self._peak.add(look)

    def _moved(self, before: Look, look: Look) -> Iterator[str]:
        if look.limit < min(before.limit, FEW):
            first, *others = self._looks
            if in_time := before.in_time - first.in_time:
                yield f"it lowers its limit from {before.limit} to {look.limit}, and {in_time} of the last tries were in time"
            earlier, most = first, 0
            for one in others:
                if one.admitted > earlier.admitted:
                    most = max(most, one.outstanding)
                earlier = one
            if look.limit < CUT * min(before.limit, most - 1) - 1:
                yield f"it lowers its limit from {before.limit} to {look.limit}, and {most} requests are outstanding"
        most_by = max(1.0, GROWTH * MOST_GROWTHS * (before.limit + 1)) + 1
        if before.limit < look.limit <= FEW and look.limit > before.limit + most_by:
            yield f"it raises its limit from {before.limit} to {look.limit} at once"
        if before.limit < look.limit <= FEW and (peak := self._peak.by(look)) < before.limit:
            yield f"it raises its limit from {before.limit} to {look.limit}, and at most {peak} requests were outstanding"

    def _overdue(self, look: Look) -> Iterator[str]:
        since, before, self._last = self._since, self._last, look
        if since is None or before is None or look.limit > FEW or (look.late > since.late and look.in_time > since.in_time):
            self._since, self._span, self._from = look, _Span(look), None
            return
        if self._span is not None and self._span.has_end(look):
            if self._from is not None:
                yield from self._judged(since, self._from, look)
            self._span, self._from = None, None
        if self._span is None and (look.late > since.late or look.refused > before.refused):
            self._span, self._from = _Span(look), look if look.late > since.late else before

    @staticmethod
    def _judged(since: Look, before: Look, look: Look) -> Iterator[str]:
        """Whether it has failed to move since `before`, although all tries since an earlier look were late, or none was."""
        tries, still = look.tries - since.tries, f"it still lets {look.limit} requests in at once"
        if look.late > since.late and LEAST < before.limit <= look.limit:
            yield f"{still}, and the last {tries} tries were late"
        if look.late == since.late and look.limit <= before.limit < FEW:
            yield f"{still}, and has refused {look.refused - before.refused}; the last {tries} tries were in time"
