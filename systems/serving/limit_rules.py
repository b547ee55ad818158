"""How a balancer's limit on outstanding requests may move: down when all answers of an interval were late, and only then."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from systems.serving.admission import CUT, FEW, GROWTH, INTERVAL_S, LEAST, MOST_GROWTHS

_SLACK_S: Final = 1e-6
"""Times are compared only so exactly, because they are floats."""


class Look(NamedTuple):
    """A limit, and what decides on it. Counts are since the balancer's start."""

    at_s: float
    limit: int
    tries: int
    """Of which admission control was told."""
    late: int
    """Of those."""
    admitted: int
    refused: int
    outstanding: int

    @property
    def in_time(self) -> int:
        return self.tries - self.late


class _Interval:
    """Bounds of an interval: it began before the look `began`, and after `after_s`."""

    def __init__(self, began: Look, after_s: float) -> None:
        self.began = began
        self.early = began
        """The latest look by which it surely has not ended."""
        self._ends_after_s = after_s + INTERVAL_S
        self.last: Look | None = None
        """Its end, if it has not ended before, is the first try after this look."""

    def ended(self, look: Look) -> bool:
        """Whether it has surely ended by this look. An interval has at least `INTERVAL_S` and `LEAST` tries."""
        if look.at_s < self._ends_after_s - _SLACK_S:
            self.early = look
        if self.last is not None:
            return look.tries > self.last.tries
        if look.at_s > self.began.at_s + INTERVAL_S and look.tries - self.began.tries >= LEAST:
            self.last = look
        return False


class LimitRules:
    """Watches one limit from look to look, while it is so low that it does not depend on the replicas' pace:

    - It is lowered only if no try of the interval was in time, and not far below what was outstanding.
    - It is lowered if so many tries were late that they fill an interval. It is raised if so many were in time, and requests
      were refused meanwhile; but not by much at once.

    When intervals begin and end is not seen. But what ends between two looks, and is longer than the time between them,
    contains what is seen there.
    """

    def __init__(self) -> None:
        self._looks: deque[Look] = deque()
        """Those of the last interval."""
        self._since: Look | None = None
        """Since this look, all tries were late or all were in time, and the limit did not move the other way."""
        self._whole = False
        """Whether `_interval` has begun since then, too."""
        self._interval: _Interval | None = None

    def look(self, look: Look) -> Iterator[str]:
        """What is wrong by now, if anything."""
        looks = self._looks
        while looks and looks[0].at_s < look.at_s - INTERVAL_S + _SLACK_S:
            looks.popleft()
        if looks:
            yield from self._moved(looks[-1], look)
        yield from self._overdue(look)
        looks.append(look)

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

    def _overdue(self, look: Look) -> Iterator[str]:
        since, interval = self._since, self._interval
        if since is None or interval is None or look.limit > FEW or self._is_mixed(since, look):
            self._since, self._interval, self._whole = look, _Interval(look, look.at_s), False
        elif interval.ended(look):
            if self._whole and interval.last is not None:
                yield from self._judged(interval, interval.last, look)
            ended_after_s = look.at_s if interval.last is None else interval.last.at_s
            self._interval, self._whole = _Interval(look, ended_after_s), True

    @staticmethod
    def _is_mixed(since: Look, look: Look) -> bool:
        return look.late > since.late and look.in_time > since.in_time

    @staticmethod
    def _judged(interval: _Interval, last: Look, look: Look) -> Iterator[str]:
        """What is wrong with how an interval has ended, of which all tries were late, or all in time."""
        began, tries = interval.began, last.tries - interval.began.tries
        refused = interval.early.refused - began.refused
        if look.late > began.late and LEAST < began.limit <= look.limit:
            yield f"it still lets {look.limit} requests in at once, and the last {tries} tries were late"
        if look.in_time > began.in_time and refused and look.limit <= began.limit < FEW:
            yield f"it still lets {look.limit} requests in at once, and refused {refused}; the last {tries} tries were in time"
