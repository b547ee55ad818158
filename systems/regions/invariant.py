"""The invariants of an edge: its breakers and its limit on guests keep their rules. Balancers have invariants of their own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from harness.http.client import Tally
from harness.model.simulated import Invariant
from systems.parts.breaker import Breaker, Settings
from systems.parts.breaker_watch import BreakerWatch, Calls
from systems.regions.routing import FAILURE, LOOK_AGAIN, NEWEST, REFUSALS

_ROUNDING: Final = 1e-9


@dataclass(frozen=True, kw_only=True)
class Way:
    """One region, or this one's balancer, as an edge asks it."""

    name: str
    breaker: Breaker
    asked: Tally
    refused: int
    """How often its breaker did not permit a request."""
    distance_s: float = math.inf
    """What counts as its distance; infinite if that is not known."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What an edge shows of itself."""

    now_s: float
    settings: Settings
    """Of each breaker."""
    ways: Sequence[Way]
    home: str
    """The way to this region's own balancer."""
    guests: int
    guests_most: int
    under_way: int
    """Requests that are not over, those of guests included."""


class EdgesKeepTheirRules:
    """Each breaker of an edge does what `BreakerWatch` demands. An edge lets in no more guests than it may, counts each of them
    once, and asks one region at a time for each request. It forgets no other region: each that is not left out is asked now and
    then. How far away one is follows from what it has answered, not from refusals and errors; once known, that stays known, and
    no single answer counts for more than its weight. Balancers are checked too."""

    def __init__(self, balancers: Invariant) -> None:
        self._balancers = balancers
        self._watches: dict[Breaker, BreakerWatch] = {}
        self._asked: dict[Breaker, tuple[int, int]] = {}
        """How often a region was asked by the time when it was last asked, or left out; and how often all others were."""
        self._distances: dict[Breaker, tuple[float, int]] = {}
        """The distance of a region at the last look, and how many requests it had served by then."""

    def broken(self, states: Mapping[str, object]) -> str | None:
        for name, state in states.items():
            if isinstance(state, Shown) and (why := next(self._wrong(state), None)) is not None:
                return f"{name}: {why}"
        return self._balancers.broken(states)

    def _wrong(self, shown: Shown) -> Iterator[str]:
        if not 0 <= shown.guests <= min(shown.guests_most, shown.under_way):
            yield f"{shown.guests} guests count as inside, of {shown.guests_most}; {shown.under_way} requests are under way"
        if (asked := sum(way.asked.awaited for way in shown.ways)) > shown.under_way:
            yield f"{asked} requests to regions are under way, for {shown.under_way} that came"
        yield from self._forgotten(shown)
        yield from self._measured(shown)
        for way in shown.ways:
            tally = way.asked
            watch = self._watches.setdefault(way.breaker, BreakerWatch())
            # A refusal is an answer. Slow answers are not counted, so all of them may have been slow.
            failed = tally.unanswered + _errors(tally) - sum(tally.answered[status] for status in REFUSALS)
            calls = Calls(tally.awaited, tally.ended, failed, tally.given_up, tally.ended, way.refused)
            for why in watch.look(shown.now_s, way.breaker, shown.settings, calls):
                yield f"its breaker of {way.name}: {why}"

    def _forgotten(self, shown: Shown) -> Iterator[str]:
        """Whether a region that is not left out was not asked for long, while another one was."""
        others = [way for way in shown.ways if way.name != shown.home]
        most = 2 * LOOK_AGAIN * (len(others) - 1)
        times = sum(_begun(way.asked) for way in others)
        for way in others:
            mine = _begun(way.asked)
            before, times_then = self._asked.get(way.breaker, (-1, 0))
            if mine != before or way.breaker.state != "closed":
                self._asked[way.breaker] = mine, times
            elif times - times_then > most > 0:
                yield f"{way.name} was not asked once in {times - times_then} requests to other regions, and is not left out"

    def _measured(self, shown: Shown) -> Iterator[str]:
        """Whether a distance is another one although nothing was served, else who refuses at once looks near; or is not known
        any more, or fell faster than answers that took no time at all could make it fall."""
        for way in shown.ways:
            served = way.asked.answered.total() - _errors(way.asked)
            before_s, served_then = self._distances.get(way.breaker, (way.distance_s, served))
            self._distances[way.breaker] = (way.distance_s, served)
            if served and not math.isfinite(way.distance_s):
                yield f"the distance of {way.name} is not known, and it has served {served} requests"
                continue
            fell = f"the distance of {way.name} was {before_s:.4f} s and is {way.distance_s:.4f} s, and"
            if math.isfinite(way.distance_s) and way.distance_s != before_s and served == served_then:
                yield f"{fell} it served nothing"
            least_s = before_s * (1 - NEWEST) ** (served - served_then) - _ROUNDING if served_then else 0.0
            if way.distance_s < least_s:
                yield f"{fell} it served {served - served_then} requests, each of which has a weight of {NEWEST:g}"


def _errors(tally: Tally) -> int:
    """Answers that are refusals or failures."""
    return sum(times for status, times in tally.answered.items() if status >= FAILURE)


def _begun(tally: Tally) -> int:
    return tally.awaited + tally.ended + tally.given_up
