"""What `BreakerWatch` says of a breaker: nothing of a correct one, whatever the calls, and which rule a wrong one breaks."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec
import pytest

from systems.parts.breaker import Breaker, Permit, Settings, State
from systems.parts.breaker_bugs import CountsLateResults, NeverCloses
from systems.parts.breaker_watch import BreakerWatch, Calls
from systems.parts.breaker_window import Window
from tests.helpers.effort import cases, left_to_ci

SETTINGS = Settings(
    failure_rate=0.5,
    slow_rate=1.0,
    slow_s=9.0,
    window_s=0.4,
    buckets=4,
    least_calls=5,
    open_s=0.3,
    probes=2,
    probe_expires_s=0.5,
)
IMPATIENT = msgspec.structs.replace(SETTINGS, probes=6, probe_expires_s=0.1)
"""A probe that takes long counts as failed before its call ends, and the others may still close the breaker."""
HASTY = msgspec.structs.replace(SETTINGS, least_calls=1, open_s=0.05, probes=1)
"""It may be closed again before the last calls from before it opened are over."""
SLOW = msgspec.structs.replace(SETTINGS, failure_rate=1.0, slow_rate=0.5, slow_s=0.03)
"""It opens for slow calls only, unless all fail."""
ALL_SLOW = msgspec.structs.replace(SLOW, slow_rate=1.0, window_s=0.1, least_calls=1)
"""It opens only if all calls of late are slow."""


class Rude(Breaker):
    """Lets calls through while it is open."""

    def allow(self) -> Permit | None:
        return super().allow() or Permit(self, -1, self._now_s)


class Hasty(Breaker):
    """Is not open for long."""

    def _advance(self) -> float:
        self._since_s -= 0.05
        return super()._advance()


class Trusting(Breaker):
    """Closes after one good probe."""

    def _judge(self, now_s: float) -> None:
        if self._state == "half-open" and self._window.failed == 0:
            self._change("closed", now_s, "one probe went well")
        else:
            super()._judge(now_s)


class Leaky(Breaker):
    """Keeps the place of a probe that was given up."""

    def dropped(self, permit: Permit) -> None:
        permit.first_told()


class Blind(Breaker):
    """Takes every third failure for a success."""

    seen = 0

    def done(self, permit: Permit, *, failed: bool, duration_s: float | None, slow_s: float) -> None:
        self.seen += failed
        super().done(permit, failed=failed and self.seen % 3 != 0, duration_s=duration_s, slow_s=slow_s)


class Forgiving(Breaker):
    """Takes every failure of a probe for a success."""

    def done(self, permit: Permit, *, failed: bool, duration_s: float | None, slow_s: float) -> None:
        super().done(permit, failed=failed and self._state != "half-open", duration_s=duration_s, slow_s=slow_s)


class Undecided(Breaker):
    """Does not decide when its last probes expire."""

    def _advance(self) -> float:
        before = self._state
        judge, self._judge = self._judge, lambda now_s: None  # type: ignore[method-assign]
        now_s = super()._advance()
        self._judge = judge  # type: ignore[method-assign]
        assert self._state in {before, "half-open"}
        return now_s


class Exacting(Breaker):
    """Opens when more than the given share is slow."""

    def _judge(self, now_s: float) -> None:
        window = self._window
        at_limit = window.slow == self._settings.slow_rate * window.calls
        window.slow -= at_limit
        super()._judge(now_s)
        window.slow += at_limit


class Nervous(Breaker):
    """Opens at half of the failures that are due."""

    def _judge(self, now_s: float) -> None:
        window, failed = self._window, self._window.failed
        if self._state == "closed":
            window.failed *= 2
        super()._judge(now_s)
        window.failed = failed


class Nostalgic(Breaker):
    """Its window keeps a call from before a long pause."""

    def _change(self, state: State, now_s: float, why: str) -> None:
        super()._change(state, now_s, why)
        if state == "closed":
            self._window = ForgetsSlowly(self._settings.window_s, self._settings.buckets)


class ForgetsSlowly(Window):
    def slide(self, now_s: float) -> None:
        at, width_s = self._at, self._width_s
        if at is not None and now_s // width_s - at >= len(self._counts):
            kept = self._counts[at % len(self._counts)]
            super().slide(now_s)
            self._counts[at % len(self._counts)] = kept
            self.calls += kept[0]
            self.failed += kept[1]
        else:
            super().slide(now_s)


class Rueful(Breaker):
    """Takes a slow call back that it has not seen."""

    def _change(self, state: State, now_s: float, why: str) -> None:
        super()._change(state, now_s, why)
        if state == "closed":
            self._window._counts[:] = [(0, 0, 1)] * len(self._window._counts)


class Shameless(Breaker):
    """Does not count what it refuses as half-open."""

    def allow(self) -> Permit | None:
        permit = super().allow()
        self._refused -= permit is None and self._state == "half-open"
        return permit


class Inventive(Breaker):
    """Has counted a late result before the first call."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        super().__init__(settings, clock)
        self._late = 1


class Dreamy(Breaker):
    """Tells the state in which it was when it was last asked for anything else."""

    @property
    def state(self) -> State:
        return self._state


class Stubborn(Breaker):
    """Never opens."""

    def _judge(self, now_s: float) -> None:
        if self._state != "closed":
            super()._judge(now_s)


def watched(kind: type[Breaker], seed: int, settings: Settings = SETTINGS, ahead_s: float = 0.0) -> str | None:
    """What is wrong at first with a breaker in a random run; None if nothing is.

    Between looks, its clock is `ahead_s` ahead of theirs.
    """
    random, now_s, clock_s = Random(seed), 0.0, 0.0
    breaker, watch = kind(settings, lambda: clock_s), BreakerWatch()
    under_way: list[tuple[float, Permit]] = []
    ended = failed = given_up = slow = refused = 0
    for step in range(4000):
        now_s = step * 0.002
        clock_s = now_s + ahead_s
        failing = 0.9 if step // 500 % 2 else 0.1
        calm = step // 250 % 4 == 2  # then hardly a call is made
        if random.random() < (0.002 if calm else 0.2):
            permit = breaker.allow()
            refused += permit is None
            if permit is not None:
                under_way.append((now_s + random.choice((0.004, 0.05, 0.2)), permit))
        for one in [one for one in under_way if one[0] <= now_s]:
            under_way.remove(one)
            if random.random() < 0.2:
                one[1].dropped()
                given_up += 1
                continue
            ended += 1
            slow += now_s - one[1].begun_s >= settings.slow_s
            if random.random() < failing:
                failed += 1
                one[1].failed()
            else:
                one[1].ok()
        if step % 5 == 0:
            calls, clock_s = Calls(len(under_way), ended, failed, given_up, slow, refused), now_s
            why = next(watch.look(now_s, breaker, settings, calls), None)
            if why is not None:
                return why
    return None


@pytest.mark.parametrize(
    "settings",
    [SETTINGS, IMPATIENT, HASTY, SLOW, ALL_SLOW],
    ids=["patient", "impatient", "hasty", "slow", "all slow"],
)
@pytest.mark.parametrize("seed", [*range(5), *map(left_to_ci, range(5, 20))])
def test_nothing_is_wrong_with_a_correct_breaker(seed: int, settings: Settings) -> None:
    assert watched(Breaker, seed, settings) is None


@pytest.mark.parametrize("seed", range(5))
def test_a_time_that_the_breaker_has_read_ahead_of_the_look_counts(seed: int) -> None:
    """The clock of a simulated node with a slow CPU is ahead while it works."""
    assert watched(Breaker, seed, ahead_s=0.03) is None


@pytest.mark.parametrize(
    ("kind", "why", "settings"),
    [
        (Rude, "it is open, and", SETTINGS),
        (Hasty, "it was open for", SETTINGS),
        (Trusting, "it closed after", SETTINGS),
        (Leaky, "it waits for", SETTINGS),
        (Blind, "failures are in its window", SETTINGS),
        (Forgiving, "it is half-open and has seen", SETTINGS),
        (Stubborn, "it is closed, and", SETTINGS),
        (NeverCloses, "probes are over", SETTINGS),
        (Undecided, "probes are over", IMPATIENT),
        (CountsLateResults, "results counted as late", HASTY),
        (Exacting, "calls were slow of late", SLOW),
        (Exacting, "probes had been slow", SLOW),
        (Exacting, "calls were slow of late", ALL_SLOW),
        (Nervous, "and of at least", SETTINGS),
        (Nostalgic, "calls are in its window", SETTINGS),
        (Rueful, "-1 slow calls are in its window", SETTINGS),
        (Shameless, "calls that it refused, and they were", SETTINGS),
        (Inventive, "1 results counted as late, and 0 calls", SETTINGS),
        (Dreamy, "what it told of itself was old: open, and then half-open", SETTINGS),
    ],
)
def test_the_rule_that_a_wrong_breaker_breaks_is_named(kind: type[Breaker], why: str, settings: Settings) -> None:
    found = [one for seed in range(cases(20)) if (one := watched(kind, seed, settings)) is not None]
    assert len(found) >= cases(20) // 2
    assert any(why in one for one in found)
