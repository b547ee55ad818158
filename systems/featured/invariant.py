"""The invariants of a replica: its breaker keeps its rules, and every worker is either free or at work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from systems.featured.asking import TimedTally
from systems.parts.breaker import Breaker, Settings
from systems.parts.breaker_watch import BreakerWatch, Calls


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a replica shows of itself."""

    now_s: float
    breaker: Breaker
    settings: Settings
    asked: TimedTally
    """Its requests to the feature service."""
    workers: int
    all_busy: bool
    """Whether no worker is free, or a free one is about to take a waiting request."""
    refused: int
    """How often the breaker did not permit a request to the feature service."""
    under_way: int
    """Requests of clients that are not over."""


class ReplicasKeepTheirRules:
    """Each replica's breaker does what `BreakerWatch` demands. No more requests wait for the feature service than the replica
    has workers, and its workers are not all busy while it has no request."""

    def __init__(self) -> None:
        self._watches: dict[str, tuple[Breaker, BreakerWatch]] = {}

    def broken(self, states: Mapping[str, object]) -> str | None:
        for name, state in states.items():
            if not isinstance(state, Shown):
                continue
            if name not in self._watches or self._watches[name][0] is not state.breaker:  # it was started again
                self._watches[name] = (state.breaker, BreakerWatch())
            if (why := next(_wrong(state, self._watches[name][1]), None)) is not None:
                return f"{name}: {why}"
        return None


def _wrong(shown: Shown, watch: BreakerWatch) -> Iterator[str]:
    if shown.asked.awaited > shown.workers:
        yield f"{shown.asked.awaited} calls to the feature service are under way, and it has {shown.workers} workers"
    if shown.all_busy and not shown.under_way:
        yield f"all {shown.workers} workers are busy, and no request is under way"
    asked = shown.asked
    calls = Calls(asked.awaited, asked.ended, asked.ended - asked.answered[200], asked.given_up, asked.slow, shown.refused)
    for why in watch.look(shown.now_s, shown.breaker, shown.settings, calls):
        yield f"its breaker: {why}"
