"""How a balancer's limit on outstanding requests may move: down when all answers of an interval were late, and only then."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from systems.serving.admission import FEW, GROWTH, INTERVAL_S, LEAST, MOST_GROWTHS
from systems.serving.exchanges import Tries

_SLACK_S: Final = 1e-6
"""Times are compared only so exactly, because they are floats."""


class _Look(NamedTuple):
    at_s: float
    limit: int
    tries: int
    late: int

    @property
    def in_time(self) -> int:
        return self.tries - self.late


class LimitRules:
    """Watches one limit from look to look, while it is so low that it does not depend on the replicas' pace.

    When intervals begin and end is not seen, but each has at least `INTERVAL_S` and `LEAST` tries, and ends with the first try
    after that. So what ends between two looks, and is longer than the time between them, contains what is seen there.
    """

    def __init__(self) -> None:
        self._looks: deque[_Look] = deque()
        """Those of the last interval."""
        self._late_since: _Look | None = None
        """Since this look, all tries were late and the limit was not lowered."""
        self._ended = 0
        """How many intervals have ended since then, at least."""
        self._began: _Look | None = None
        """The current one had begun by this look …"""
        self._may_end: _Look | None = None
        """… and ends with the first try after this one."""
        self._last: _Look | None = None

    def look(self, now_s: float, limit: int, tries: Tries) -> Iterator[str]:
        """What is wrong by now, if anything."""
        look = _Look(now_s, limit, tries.all, tries.late)
        while self._looks and self._looks[0].at_s < now_s - INTERVAL_S + _SLACK_S:
            self._looks.popleft()
        if self._looks:
            yield from self._moved(self._looks[-1], look)
        yield from self._overdue(look)
        self._looks.append(look)

    def _moved(self, before: _Look, look: _Look) -> Iterator[str]:
        if look.limit < min(before.limit, FEW) and (in_time := before.in_time - self._looks[0].in_time):
            yield f"it lowers its limit from {before.limit} to {look.limit}, and {in_time} of the last tries were in time"
        most = before.limit + max(1.0, GROWTH * MOST_GROWTHS * (before.limit + 1)) + 1
        if before.limit < look.limit <= FEW and look.limit > most:
            yield f"it raises its limit from {before.limit} to {look.limit} at once"

    def _overdue(self, look: _Look) -> Iterator[str]:
        since, last, self._last = self._late_since, self._last or look, look
        if since is None or look.in_time > since.in_time or look.limit > FEW or look.limit < last.limit:
            self._late_since = self._began = look
            self._ended, self._may_end = 0, None
            return
        if self._may_end is not None and look.tries > self._may_end.tries:
            self._ended += 1
            self._began, self._may_end = look, None
        began = self._began or look
        if self._may_end is None and look.at_s > began.at_s + INTERVAL_S and look.tries - began.tries >= LEAST:
            self._may_end = look
        # The first interval may have begun before, with tries that were in time.
        if self._ended >= 2 and since.limit > LEAST:
            yield f"it still lets {look.limit} requests in at once, and the last {look.tries - since.tries} tries were late"
