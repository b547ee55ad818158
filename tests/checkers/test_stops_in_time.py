"""Nodes that end soon after SIGTERM, that do not, and of which nothing can be said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.checkers.stops_in_time import LIMIT_S, stops_in_time, stops_within
from harness.model.errors import UsageError
from harness.model.history import History

NS_PER_S = 1_000_000_000
TERM = ("signalled", "SIGTERM")
OVER = ("killed", "pid 1, exit code 0")
FORCED = ("killed", "pid 1, SIGKILL")


def told(*events: tuple[float, str, tuple[str, str]]) -> History:
    """A history with events: time in seconds, node, kind and detail."""
    rows = [
        {"at_ns": round(at_s * NS_PER_S), "node": node, "kind": kind, "detail": detail} for at_s, node, (kind, detail) in events
    ]
    return History.of([], events=rows)


def test_nodes_that_end_soon_are_right() -> None:
    verdict = stops_within(4)(
        told((1, "r1", TERM), (1.7, "r1", OVER), (1.8, "r2", TERM), (5.7, "r2", ("ended", "exit code 0")))
    )
    assert verdict.valid is True
    assert verdict.why == "2 times, the longest took 3.90 s (r2)"


@pytest.mark.parametrize(
    "end",
    [[(6.2, "r1", OVER)], [(6.2, "r1", FORCED)], [(6.2, "r1", ("signalled", "SIGKILL")), (6.3, "r1", FORCED)]],
)
def test_a_node_that_ends_late_or_has_to_be_killed_is_found(end: list[tuple[float, str, tuple[str, str]]]) -> None:
    verdict = stops_within(4)(told((0, "r2", TERM), (1, "r1", TERM), (1.5, "r2", OVER), *end))
    assert verdict.valid is False
    assert verdict.why == "r1 took 5.20 s to end after SIGTERM, not 4 s; 1 of 2 took too long"
    assert stops_in_time(told((1, "r1", TERM), *end)).valid is (None if end[0][2] != OVER else True)


@pytest.mark.parametrize(
    "between",
    [("signalled", "SIGSTOP"), ("signalled", "SIGCONT"), FORCED],
)
def test_a_node_that_something_else_befell_is_not_judged(between: tuple[str, str]) -> None:
    assert stops_within(4)(told((1, "r1", TERM), (2, "r1", between), (9, "r1", OVER))).valid is None


def test_a_node_that_has_not_ended_when_the_record_does_took_at_least_that_long() -> None:
    found = told((1, "r1", TERM), (1, "r2", TERM), (1.5, "r2", OVER), (6, "r3", TERM))
    verdict = stops_within(4)(found)
    assert verdict.valid is False
    assert verdict.why == "r1 took 5.00 s to end after SIGTERM, not 4 s; 1 of 2 took too long"
    assert stops_within(6)(found).valid is True
    call = {"client": 1, "kind": "read", "key": "", "outcome": "ok", "sent_ns": 0, "done_ns": 8 * NS_PER_S}
    assert stops_within(6)(replace(found, ops=History.of([call]).ops)).valid is False


def test_it_is_unknown_if_no_node_was_told_to_stop() -> None:
    verdict = stops_within(4)(told((1, "r1", ("started", "pid 1")), (2, "r1", FORCED)))
    assert (verdict.valid, verdict.why) == (None, "no node got SIGTERM")


def test_the_limit_is_a_number_of_seconds() -> None:
    assert stops_in_time(told((1, "r1", TERM), (1 + LIMIT_S + 0.1, "r1", OVER))).valid is False
    with pytest.raises(UsageError, match="a number of seconds above 0"):
        stops_within(0)
