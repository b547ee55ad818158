"""The invariants of a balancer's breakers: each keeps its own rules, and together they do not leave out too many replicas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from systems.parts.breaker import Transition
from systems.parts.breaker_watch import BreakerWatch
from systems.serving.dispatch import Dispatcher
from systems.serving.policy import Pool
from systems.serving.settings import Settings

_SURELY: Final = 50
"""Of this many exchanges, some go to the replicas whose breakers are open, if these are at least half of all replicas."""


class _Look(NamedTuple):
    open: list[str]
    """Replicas whose breakers are open."""
    not_closed: list[str]
    """They, and those whose breakers are half-open."""
    states: Mapping[str, Sequence[Transition]]
    """The last change of each breaker's state, if there was one."""
    retries: int
    """Retries so far: a retry may have no other replica left than one whose breaker is open."""
    to_open: int
    """Exchanges with `open` replicas without a permit, so far."""
    to_not_closed: int
    """And with all that are `not_closed`."""
    exchanges: int

    @property
    def half_open(self) -> bool:
        return any(change.state == "half-open" for changes in self.states.values() for change in changes)


class BreakerRules:
    """Checks the breakers of one balancer at each look.

    Each does what `BreakerWatch` demands, judged by the exchanges that it permitted. A replica whose breaker is open is left
    out, unless more replicas would be left out than the settings allow. So is one whose breaker is half-open, but for probes.
    """

    def __init__(self, names: list[str]) -> None:
        self._watches = {name: BreakerWatch() for name in names}
        self._since: _Look | None = None
        """The first look since the last change of any state, and since the last retry."""

    def look(self, now_s: float, pool: Pool, dispatcher: Dispatcher, settings: Settings, retries: int) -> Iterator[str]:
        """What is wrong by now, if anything. `retries` counts those that were paid for, and those that were begun."""
        if settings.breaker is None:
            return
        breakers = {name: breaker for name in self._watches if (breaker := pool.breaker(name, now_s)) is not None}
        for name, breaker in breakers.items():
            for why in self._watches[name].look(now_s, breaker, settings.breaker, dispatcher.exchanges(name).permitted):
                yield f"the breaker of {name}: {why}"
        open_ = [name for name, breaker in breakers.items() if breaker.state == "open"]
        not_closed = [name for name, breaker in breakers.items() if breaker.state != "closed"]
        if not not_closed or any(one.share < 1 for one in pool.status(now_s)):
            self._since = None
            return
        states = {name: breaker.status().transitions[-1:] for name, breaker in breakers.items()}
        exchanges = {name: dispatcher.exchanges(name) for name in breakers}
        look = _Look(
            open_,
            not_closed,
            states,
            retries,
            sum(exchanges[name].unpermitted for name in open_),
            sum(exchanges[name].unpermitted for name in not_closed),
            sum(one.all for one in exchanges.values()),
        )
        if self._since is None or (self._since.states, self._since.retries) != (states, retries):
            self._since = look
            return
        may = min(settings.most_left_out(len(breakers)), len(breakers) - 1)
        yield from self._left_out(self._since, look, may, hedges=settings.hedge_ms is not None)

    @staticmethod
    def _left_out(since: _Look, look: _Look, may: int, *, hedges: bool) -> Iterator[str]:
        """Whether replicas were asked that had to be left out, or the other way round.

        With hedging, exchanges begin a moment after their replicas were chosen: two of them may hope for the last free probe.
        """
        exchanges = look.exchanges - since.exchanges
        if len(look.not_closed) <= may and not (look.half_open and hedges):
            if unpermitted := look.to_not_closed - since.to_not_closed:
                yield (
                    f"the breakers of {', '.join(look.not_closed)} are not closed, and {may} may be left out; of {exchanges}"
                    f" exchanges, {unpermitted} went there without a permit"
                )
        elif len(look.open) > may and look.to_open == since.to_open and exchanges >= _SURELY:
            yield (
                f"the breakers of {', '.join(look.open)} are open, and {may} may be left out; of {exchanges} exchanges, none"
                " went there"
            )
