"""The simulated rate limit lets through what tc's token bucket does, with the bucket that `harness.cluster` gives it."""

from __future__ import annotations

import pytest

from harness.simulation.shaper import Shaper

RATE = 8000
BUCKET_BYTES = 4096


def limited() -> Shaper:
    shaper = Shaper()
    shaper.bytes_per_s = RATE
    return shaper


def test_small_messages_below_the_rate_do_not_wait() -> None:
    shaper = limited()
    for number in range(20):
        assert shaper.passed_s(number / 10, 500) == pytest.approx(number / 10)
    assert (shaper.bytes, shaper.overlimits, shaper.drops) == (10_000, 0, 0)


def test_what_the_bucket_does_not_hold_waits_for_it_to_fill_and_what_would_wait_too_long_is_sent_again() -> None:
    shaper = limited()
    assert shaper.passed_s(0.0, BUCKET_BYTES) == pytest.approx(0.0)
    assert shaper.passed_s(0.0, 800) == pytest.approx(0.1)
    assert shaper.passed_s(0.0, 5600) == pytest.approx(0.8)
    assert (shaper.overlimits, shaper.drops) == (2, 0)
    assert shaper.passed_s(0.0, 800) == pytest.approx(0.9)
    assert (shaper.overlimits, shaper.drops) == (3, 1)
