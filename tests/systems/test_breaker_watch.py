"""What `BreakerWatch` says of a breaker: nothing of a correct one, whatever the calls, and which rule a wrong one breaks."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from systems.parts.breaker import Breaker, Permit, Settings
from systems.parts.breaker_watch import BreakerWatch, Calls

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


class Stubborn(Breaker):
    """Never opens."""

    def _judge(self, now_s: float) -> None:
        if self._state != "closed":
            super()._judge(now_s)


def watched(kind: type[Breaker], seed: int, settings: Settings = SETTINGS) -> str | None:
    """What is wrong at first with a breaker in a random run; None if nothing is."""
    random, now_s = Random(seed), 0.0
    breaker, watch = kind(settings, lambda: now_s), BreakerWatch()
    under_way: list[tuple[float, Permit]] = []
    ended = failed = given_up = 0
    for step in range(4000):
        now_s = step * 0.002
        failing = 0.9 if step // 500 % 2 else 0.1
        if random.random() < 0.2 and (permit := breaker.allow()) is not None:
            under_way.append((now_s + random.choice((0.004, 0.05, 0.2)), permit))
        for one in [one for one in under_way if one[0] <= now_s]:
            under_way.remove(one)
            if random.random() < 0.2:
                one[1].dropped()
                given_up += 1
                continue
            ended += 1
            if random.random() < failing:
                failed += 1
                one[1].failed()
            else:
                one[1].ok()
        if step % 5 == 0:
            calls = Calls(len(under_way), ended, failed, given_up)
            why = next(watch.look(now_s, breaker, settings, calls), None)
            if why is not None:
                return why
    return None


@pytest.mark.parametrize("settings", [SETTINGS, IMPATIENT], ids=["patient", "impatient"])
@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_wrong_with_a_correct_breaker(seed: int, settings: Settings) -> None:
    assert watched(Breaker, seed, settings) is None


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Rude, "it is open, and"),
        (Hasty, "it was open for"),
        (Trusting, "it closed after"),
        (Leaky, "it waits for"),
        (Blind, "failures are in its window"),
        (Forgiving, "it is half-open and has seen"),
        (Stubborn, "it is closed, and"),
    ],
)
def test_the_rule_that_a_wrong_breaker_breaks_is_named(kind: type[Breaker], why: str) -> None:
    found = {watched(kind, seed) for seed in range(5)}
    assert None not in found
    assert any(why in (one or "") for one in found)
