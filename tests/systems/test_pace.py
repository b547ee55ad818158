"""How much is sent to a node at once: less while messages do not get through in time, and more when they do."""

from __future__ import annotations

import pytest

from systems.parts.pace import LEAST, Pace

TIMEOUT_S = 0.4
MOST = 1024 * 1024


def sent(pace: Pace, bytes_per_s: float, latency_s: float = 0.0) -> int:
    """Send as much as there may be, again and again, over such a link; returns how often it was late."""
    late = 0
    for _ in range(50):
        took_s = latency_s + pace.most / bytes_per_s
        if took_s < TIMEOUT_S:
            pace.answered(pace.most, took_s, TIMEOUT_S)
        else:
            late += 1
            pace.late(pace.most)
    return late


@pytest.mark.parametrize("latency_s", [0.0, 0.15, 0.3])
@pytest.mark.parametrize("bytes_per_s", [2e4, 1e5, 1e6, 1e9])
def test_finds_what_gets_through_and_stays_there(bytes_per_s: float, latency_s: float) -> None:
    pace = Pace(MOST)
    late = sent(pace, bytes_per_s, latency_s)
    fits = (TIMEOUT_S - latency_s) * bytes_per_s
    assert min(MOST, fits / 2) <= pace.most <= min(MOST, fits)
    assert late <= 10
    assert sent(pace, bytes_per_s, latency_s) == 0


def test_goes_back_to_the_most_when_the_link_is_good_again() -> None:
    pace = Pace(MOST)
    sent(pace, 2e4)
    sent(pace, 1e9)
    assert pace.most == MOST


def test_begins_with_less_where_the_first_message_has_to_get_through() -> None:
    pace = Pace(MOST, first=8 * LEAST)
    assert pace.most == 8 * LEAST
    assert sent(pace, 1e9) == 0
    assert pace.most == MOST
    assert Pace(2 * LEAST, first=8 * LEAST).most == 2 * LEAST


def test_a_link_that_carries_nothing_leaves_the_least() -> None:
    pace = Pace(MOST)
    sent(pace, 1.0)
    assert pace.most == LEAST


def test_short_messages_tell_nothing() -> None:
    pace = Pace(MOST)
    pace.late(2 * LEAST - 1)
    assert pace.most == MOST
    sent(pace, 2e4)
    most = pace.most
    pace.answered(LEAST, 0.001, TIMEOUT_S)
    assert pace.most == most


def test_never_less_than_the_least() -> None:
    assert Pace(1).most == LEAST
