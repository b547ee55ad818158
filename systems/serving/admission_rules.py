"""The invariants of a balancer's admission control: it always admits a few requests, and no more than can be answered."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import Final, Protocol

from systems.serving.admission import FEW, INTERVAL_S, LEAST, Admission
from systems.serving.exchanges import Tries
from systems.serving.limit_rules import LimitRules, Look

_WINDOW_S: Final = 2 * INTERVAL_S
"""Any longer interval can be divided into shorter ones, of which one had at least the same pace."""


class Load(Protocol):
    """What a dispatcher shows of the requests that were let in."""

    tries: Tries
    admitted: int

    @property
    def outstanding(self) -> int: ...


class AdmissionRules:
    """Checks one balancer's limit at each look. `LimitRules` checks how it moves.

    How many requests have ended is seen only at each look, so the best pace is bounded from above: all that ended within two
    intervals of `Admission` may have ended in one.
    """

    def __init__(self) -> None:
        self._looks: deque[tuple[float, int]] = deque([(-math.inf, 0)])
        """The times of the looks of the last window, and of one before it, each with how many requests had ended by then."""
        self._best_per_s = 0.0
        self._moves = LimitRules()

    def look(self, now_s: float, admission: Admission, ended: int, load: Load) -> Iterator[str]:
        """What is wrong by now, if anything. `ended` requests were answered by replicas so far, or failed."""
        limit, overload_s = admission.limit, admission.overload_s
        if limit is None or overload_s is None:
            return
        yield from self._moves.look(
            Look(now_s, limit, load.tries.all, load.tries.late, load.admitted, admission.refused, load.outstanding)
        )
        if limit < LEAST:
            yield f"it lets {limit} requests in at once, and {LEAST} are the fewest"
        looks = self._looks
        # Measured back from the last look: an interval may have ended right after it.
        while len(looks) > 1 and looks[1][0] <= looks[-1][0] - _WINDOW_S:
            looks.popleft()
        self._best_per_s = max(self._best_per_s, (ended - looks[0][1]) / INTERVAL_S)
        looks.append((now_s, ended))
        answerable = int(overload_s * self._best_per_s)
        if limit > max(FEW, answerable):
            yield (
                f"it lets {limit} requests in at once, and the replicas have never answered more than {answerable} within the"
                f" {overload_s:g} s that these may take"
            )
