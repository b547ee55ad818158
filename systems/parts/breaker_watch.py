"""The invariants of a circuit breaker, judged by the calls that were made through it.

A history shows what clients got. A breaker that opens too late, closes after one good call, or waits for a probe that is over
hardly shows in it, as long as calls elsewhere or a fallback make up for that.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from systems.parts.breaker import Breaker, Settings, State, Status, Transition

_NEXT: Final[dict[State, frozenset[State]]] = {
    "closed": frozenset({"open"}),
    "open": frozenset({"half-open"}),
    "half-open": frozenset({"open", "closed"}),
}

_READ: Final[tuple[Callable[[Breaker], object], ...]] = (
    lambda breaker: breaker.state,
    lambda breaker: breaker.ready,
    lambda breaker: breaker.probing,
)
"""The first thing that a look reads of the breaker; each look takes the next one in turn."""

_SLACK_S: Final = 1e-6
"""The tolerance with which times are compared, because they are floats."""


class Calls(NamedTuple):
    """The calls behind a breaker up to a moment, as the client that makes them counts them."""

    awaited: int
    ended: int
    """Calls with a result, good or bad."""
    failed: int
    """How many of `ended` failed."""
    given_up: int
    slow: int
    """An upper bound on how many of `ended` took at least the breaker's `slow_s`."""
    refused: int
    """Calls that were not made, because the breaker did not permit them."""

    @property
    def begun(self) -> int:
        return self.awaited + self.ended + self.given_up


class _Look(NamedTuple):
    at_s: float
    calls: Calls
    state: State
    late: int
    refused: int
    probing: int
    in_window: int
    failed: int
    """How many of `in_window` failed."""
    slow: int

    @property
    def may_not_count(self) -> int:
        """A lower bound on how many calls under way began too long ago to count; 0 while the breaker is closed."""
        return 0 if self.state == "closed" else max(0, self.calls.awaited - self.probing)


class BreakerWatch:
    """Checks one breaker at each look:

    - It goes from closed to open, then to half-open, and back to open or closed. It stays open for `open_s` and lets no call
      through meanwhile. It closes only after enough good probes.
    - It has at most `probes` probes out, and no more than there are calls under way. It waits for none longer than
      `probe_expires_s`, and decides as soon as `probes` of them are over.
    - While it is closed, it refuses nothing. Its window holds the recent results. It opens if, and only if, enough of these
      failed or were slow.
    - Results of calls that began before a change of state count as late.
    - It counts its refusals. Whatever is read first, it has applied the time that has passed.

    What happened between two looks is bounded from both sides, so only what is certain is judged. Which calls were slow is
    taken from the breaker.
    """

    def __init__(self) -> None:
        self._transitions: Sequence[Transition] = ()
        self._number = 0
        self._looks: list[_Look] = []
        """The recent looks, the latest one last."""
        self._first: _Look | None = None
        """The first look since the last change of state."""
        self._stuck: _Look | None = None
        """The first look since the last progress of the probes."""
        self._not_closed: _Look | None = None
        """The last look at which it was open or half-open."""

    def look(self, now_s: float, breaker: Breaker, settings: Settings, calls: Calls) -> Iterator[str]:
        """What is wrong by now, if anything."""
        read = _READ[self._number % len(_READ)]
        self._number += 1
        told = read(breaker)
        status = breaker.status()
        now_s = max(now_s, breaker.applied_s)  # of a node with a slow CPU the breaker may have read a time that is yet to come
        look = _Look(
            now_s, calls, status.state, status.late, status.refused, breaker.probing, status.calls, status.failed, status.slow
        )
        changes = [one for one in status.transitions if one not in self._transitions]
        yield from self._changed(changes, settings, look)
        if told != (now := read(breaker)):
            yield f"what it told of itself was old: {told}, and then {now}"
        self._transitions = status.transitions
        if changes or self._first is None:
            self._first = self._stuck = look
        yield from self._same(self._first, look, status, settings)
        yield from self._late(look)
        if look.refused != calls.refused:
            yield f"it counts {look.refused} calls that it refused, and they were {calls.refused}"
        if status.state == "closed":
            yield from self._window(self._first, look, status, settings)
        else:
            self._not_closed = look
        self._looks.append(look)
        old = bisect_left(self._looks, now_s - 2 * settings.window_s - settings.open_s - 1, key=lambda one: one.at_s)
        del self._looks[: max(0, old - 1)]

    def _changed(self, changes: Sequence[Transition], settings: Settings, look: _Look) -> Iterator[str]:
        """Whether changes of state since the last look were due."""
        last = self._transitions[-1] if self._transitions else Transition(float("-inf"), "closed", "")
        for change in changes:
            if change.state not in _NEXT[last.state]:
                yield f"it went from {last.state} to {change.state}"
            elif last.state == "open" and change.at_s - last.at_s < settings.open_s - _SLACK_S:
                yield f"it was open for {change.at_s - last.at_s:.3f} s, and {settings.open_s:g} s are due"
            elif change.state == "closed":
                ended, failed = self._since(last.at_s, look)
                expired = self._endless(last.at_s, look)
                least = (1 - settings.failure_rate) * settings.probes
                if ended - failed <= least or ended + expired < settings.probes:
                    yield f"it closed after {ended - failed} good calls, and more than {least:g} of {settings.probes} are due"
                if change is changes[0] and self._looks:
                    yield from self._closed(self._looks[-1], settings)
            elif last.state == "closed":
                bucket_s = settings.window_s / settings.buckets
                counted = self._counted(change.at_s - settings.window_s + bucket_s) if change is changes[0] else 0
                yield from self._opened(change, settings, look, max(settings.least_calls, counted + 1))
            last = change

    @staticmethod
    def _closed(before: _Look, settings: Settings) -> Iterator[str]:
        """Whether it closed although too many of the probes known at the look before had failed or been slow."""
        if before.failed >= settings.failure_rate * settings.probes:
            yield f"it closed, and {before.failed} of {settings.probes} probes had failed"
        if before.slow >= settings.slow_rate * settings.probes:
            yield f"it closed, and {before.slow} of {settings.probes} probes had been slow"

    def _opened(self, change: Transition, settings: Settings, look: _Look, least: int) -> Iterator[str]:
        """Whether it opened with too few calls, or too few bad ones among the `least` or more in its window."""
        since_s = change.at_s - settings.window_s
        ended, _ = self._since(since_s, look)
        if ended < settings.least_calls:
            yield f"it opened after {ended} calls, and {settings.least_calls} are due"
        then = self._calls_by(since_s)
        failed, slow = look.calls.failed - then.failed, look.calls.slow - then.slow
        if failed / least < settings.failure_rate and slow / least < settings.slow_rate:
            yield f"it opened, and of at least {least} calls {failed} had failed and {slow} been slow"

    def _since(self, at_s: float, look: _Look) -> tuple[int, int]:
        """Bounds since a time: at most how many calls have ended, and at least how many of them failed."""
        earlier = self._calls_by(at_s)
        after = bisect_left(self._looks, at_s + _SLACK_S, key=lambda one: one.at_s)
        later = self._looks[after].calls if after < len(self._looks) else look.calls
        ended = look.calls.ended - earlier.ended
        good = (look.calls.ended - look.calls.failed) - (earlier.ended - earlier.failed)
        return ended, min(ended - good, look.calls.failed - later.failed)

    def _counted(self, since_s: float) -> int:
        """A lower bound on the counted calls that ended between `since_s`, or the last change of state, and the last look."""
        since_s = max(since_s, float("-inf") if self._first is None else self._first.at_s)
        after = bisect_left(self._looks, since_s + _SLACK_S, key=lambda one: one.at_s)
        if after == len(self._looks):
            return 0
        first, last = self._looks[after], self._looks[-1]
        return last.calls.ended - first.calls.ended - (last.late - first.late)

    def _endless(self, at_s: float, look: _Look) -> int:
        """An upper bound on the calls since a time that may count as expired probes: those without a result."""
        return look.calls.awaited + look.calls.given_up - self._calls_by(at_s).given_up

    def _same(self, first: _Look, look: _Look, status: Status, settings: Settings) -> Iterator[str]:
        """What is wrong although its state stayed the same."""
        begun = look.calls.begun - first.calls.begun
        if look.probing > look.calls.awaited:
            yield f"it waits for {look.probing} probes, and {look.calls.awaited} calls are under way"
        if status.state == "open":
            if begun:
                yield f"it is open, and {begun} calls were made"
            if look.at_s - status.transitions[-1].at_s > settings.open_s + _SLACK_S:
                yield f"it has been open for {look.at_s - status.transitions[-1].at_s:.3f} s, and {settings.open_s:g} s are due"
        elif status.state == "half-open":
            if begun - (look.calls.given_up - first.calls.given_up) > settings.probes:
                yield f"it is half-open, and {begun} calls were made; {settings.probes} may be"
            failed = look.calls.failed - first.calls.failed - (look.late - first.late)
            if status.failed < failed:
                yield f"it is half-open and has seen {status.failed} probes fail, and {failed} calls that count have failed"
            if look.probing + status.calls > settings.probes:
                yield f"it has {look.probing + status.calls} probes, and {settings.probes} may be made"
            if status.calls >= settings.probes:
                yield f"it is half-open, and {status.calls} probes are over; {settings.probes} decide"
            before = self._looks[-1] if self._looks else look
            refused = look.refused - before.refused
            if refused and look is not first and not before.probing and before.calls.begun == look.calls.begun:
                yield f"it is half-open, waits for no probe, and refused {refused} calls"
            yield from self._waits(look, settings)
        elif look.refused > first.refused:
            yield f"it is closed, and refused {look.refused - first.refused} calls"

    def _late(self, look: _Look) -> Iterator[str]:
        """Whether calls that do not count, because they began too long ago, have counted."""
        if look.late > look.calls.ended:
            yield f"{look.late} results counted as late, and {look.calls.ended} calls have ended"
        before = self._not_closed
        if before is None:
            return
        over = before.may_not_count - (look.calls.given_up - before.calls.given_up) - look.calls.awaited
        if (late := look.late - before.late) < over:
            yield f"{over} calls from before it was {before.state} or expired have ended, and {late} results counted as late"

    def _waits(self, look: _Look, settings: Settings) -> Iterator[str]:
        before = self._stuck
        now = (look.probing, look.in_window, look.calls.begun, look.calls.ended)
        if (
            before is None
            or now != (before.probing, before.in_window, before.calls.begun, before.calls.ended)
            or not look.probing
        ):
            self._stuck = look
        elif (waited_s := look.at_s - before.at_s) > settings.probe_expires_s + _SLACK_S:
            yield f"it has waited for a probe for {waited_s:.3f} s, and {settings.probe_expires_s:g} s is the longest"

    def _window(self, first: _Look, look: _Look, status: Status, settings: Settings) -> Iterator[str]:
        """What is wrong with the window of a closed breaker."""
        if (late := look.late - first.late) > first.calls.awaited:
            yield f"{late} results counted as late since it closed, and {first.calls.awaited} calls were under way then"
        bucket_s = settings.window_s / settings.buckets
        since_s = max(first.at_s, look.at_s - settings.window_s + bucket_s + _SLACK_S)
        after = bisect_left(self._looks, since_s, key=lambda one: one.at_s)
        if after == len(self._looks):
            return
        inner = self._looks[after]
        late = look.late - inner.late
        ended, failed = look.calls.ended - inner.calls.ended - late, look.calls.failed - inner.calls.failed - late
        most, most_failed, most_slow = self._most(look, look.at_s - settings.window_s)
        if not ended <= status.calls <= most:
            yield f"{status.calls} calls are in its window, and {ended} to {most} have ended of late"
        if not failed <= status.failed <= most_failed:
            yield f"{status.failed} failures are in its window, and {failed} to {most_failed} calls have failed of late"
        if not 0 <= status.slow <= most_slow:
            yield f"{status.slow} slow calls are in its window, and at most {most_slow} of late were slow"
        before = self._looks[-1]
        if look.calls.ended - before.calls.ended <= look.late - before.late or before.at_s < first.at_s:
            return  # no call has ended that it had to judge
        most, _, _ = self._most(look, before.at_s - settings.window_s)
        if ended >= settings.least_calls and failed >= settings.failure_rate * most:
            yield f"it is closed, and {failed} of {most} calls failed of late"
        if status.calls >= settings.least_calls and status.slow >= settings.slow_rate * most:
            yield f"it is closed, and {status.slow} of {most} calls were slow of late"

    def _most(self, look: _Look, since_s: float) -> tuple[int, int, int]:
        """Upper bounds on the calls since a time that ended, that failed, and that were slow."""
        then = self._calls_by(since_s)
        return look.calls.ended - then.ended, look.calls.failed - then.failed, look.calls.slow - then.slow

    def _calls_by(self, at_s: float) -> Calls:
        """The calls at the last look before a time."""
        before = bisect_right(self._looks, at_s - _SLACK_S, key=lambda one: one.at_s) - 1
        return self._looks[before].calls if before >= 0 else Calls(0, 0, 0, 0, 0, 0)
