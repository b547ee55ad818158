"""The invariants of an edge: its breakers and its limit on guests keep their rules. Balancers have invariants of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.http.client import Tally
from harness.model.simulated import Invariant
from systems.parts.breaker import Breaker, Settings
from systems.parts.breaker_watch import BreakerWatch, Calls


@dataclass(frozen=True, kw_only=True)
class Way:
    """One region, or this one's balancer, as an edge asks it."""

    name: str
    breaker: Breaker
    asked: Tally
    refused: int
    """How often its breaker did not permit a request."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What an edge shows of itself."""

    now_s: float
    settings: Settings
    """Of each breaker."""
    ways: Sequence[Way]
    guests: int
    guests_most: int
    under_way: int
    """Requests that are not over, those of guests included."""


class EdgesKeepTheirRules:
    """Each breaker of an edge does what `BreakerWatch` demands. An edge lets in no more guests than it may, counts each of them
    once, and asks one region at a time for each request. Balancers are checked too."""

    def __init__(self, balancers: Invariant) -> None:
        self._balancers = balancers
        self._watches: dict[Breaker, BreakerWatch] = {}

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
        for way in shown.ways:
            tally = way.asked
            watch = self._watches.setdefault(way.breaker, BreakerWatch())
            # A refusal is an answer. Slow answers are not counted, so all of them may have been slow.
            calls = Calls(tally.awaited, tally.ended, tally.unanswered, tally.given_up, tally.ended, way.refused)
            for why in watch.look(shown.now_s, way.breaker, shown.settings, calls):
                yield f"its breaker of {way.name}: {why}"
