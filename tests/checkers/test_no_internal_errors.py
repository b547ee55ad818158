"""Requests that nodes failed to handle: none, and some."""

from __future__ import annotations

from harness.checkers.no_internal_errors import applies, no_internal_errors
from harness.model.history import History


def history(*kinds: str) -> History:
    events = [
        {"at_ns": 1_250_000_000 * turn, "node": f"n{turn}", "kind": kind, "detail": '"KeyError: 7"'}
        for turn, kind in enumerate(kinds, start=1)
    ]
    return History.of([], events=events)


def test_other_events_are_no_errors() -> None:
    assert no_internal_errors(history("leader", "started")).valid is True
    assert not applies(history("leader"))


def test_a_history_that_does_not_tell_of_nodes_shows_nothing() -> None:
    assert no_internal_errors(history()).valid is None
    assert no_internal_errors(history("nemesis kill")).valid is None


def test_the_first_error_is_told() -> None:
    found = history("leader", "internal_error", "internal_error")
    verdict = no_internal_errors(found)
    assert applies(found)
    assert verdict.valid is False
    assert verdict.why == ('2 requests ended in an internal error; the first one was at n2 at 2.50 s: "KeyError: 7"')
