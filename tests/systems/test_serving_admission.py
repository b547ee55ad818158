"""Admission under several times the capacity: admitted requests are answered soon."""

from __future__ import annotations

import heapq
from itertools import count

import pytest

from systems.serving.admission import FEW, INTERVAL_S, PACE_S, Admission
from systems.serving.dispatch import Dispatcher

OVERLOAD_S = 0.1


def paced(admission: Admission, from_s: float, per_s: int, seconds: float = INTERVAL_S * 1.01) -> float:
    """An interval of quick answers at this pace; returns when it ends, and the next one begins."""
    admission.answered(0.001, from_s, 0)
    for number in range(10):
        admission.answered(0.001, from_s + (number + 1) * seconds / 10, round(per_s * seconds / 10))
    return from_s + seconds


def test_a_burst_is_let_in_before_the_pace_is_known_and_no_more() -> None:
    assert Admission(OVERLOAD_S).admit(0, 3 * FEW) == FEW
    assert Admission(None).admit(0, 3 * FEW) == 3 * FEW


def test_what_is_let_in_follows_the_best_pace_and_a_pause_does_not_lower_it() -> None:
    admission = Admission(OVERLOAD_S)
    now_s = paced(admission, 0.0, 100_000)
    assert admission.limit == pytest.approx(OVERLOAD_S * 100_000, rel=0.01)
    now_s = paced(admission, now_s, 1_000)
    assert admission.limit == pytest.approx(OVERLOAD_S * 100_000, rel=0.01)
    paced(admission, now_s, 200_000)
    assert admission.admit(0, 1_000_000) == pytest.approx(OVERLOAD_S * 200_000, rel=0.01)


def test_a_pace_of_long_ago_is_forgotten() -> None:
    admission = Admission(OVERLOAD_S)
    now_s = paced(admission, 0.0, 100_000)
    paced(admission, now_s, 1_000, seconds=2 * PACE_S)
    assert admission.limit == FEW


@pytest.mark.parametrize("times", [2, 5])
def test_a_multiple_of_what_can_be_done_leaves_goodput_whole(times: int) -> None:
    replicas, service_s, seconds = 10, 0.0005, 0.8
    done, latencies_s = overloaded(times * replicas / service_s, replicas, service_s, seconds)
    assert done >= 0.9 * seconds * replicas / service_s
    assert sorted(latencies_s)[int(0.99 * len(latencies_s))] < 0.3


def overloaded(rate: float, replicas: int, service_s: float, seconds: float) -> tuple[int, list[float]]:
    """A model: requests at a rate, each at once sent to the replica with the shortest queue. What was given up is still worked
    on. How many were answered, and how long each took."""
    admission, order = Admission(OVERLOAD_S), count()
    free_s, outstanding, latencies_s = [0.0] * replicas, 0, []
    ends: list[tuple[float, int, float]] = []
    for number in range(int(rate * seconds)):
        now_s = number / rate
        while ends and ends[0][0] <= now_s:
            end_s, _, took_s = heapq.heappop(ends)
            outstanding -= 1
            answered = took_s < Dispatcher.TRY_TIMEOUT_S
            admission.answered(took_s, end_s, int(answered))
            if answered:
                latencies_s.append(took_s)
        if admission.admit(outstanding, 1):
            outstanding += 1
            replica = min(range(replicas), key=free_s.__getitem__)
            free_s[replica] = max(free_s[replica], now_s) + service_s
            took_s = min(free_s[replica] - now_s, Dispatcher.TRY_TIMEOUT_S)
            heapq.heappush(ends, (now_s + took_s, next(order), took_s))
    return len(latencies_s), latencies_s
