"""Check that nodes answer every request on purpose."""

from __future__ import annotations

from harness.checkers._wording import count
from harness.model.history import History
from harness.model.verdict import Verdict


def no_internal_errors(history: History) -> Verdict:
    """No node failed to handle a request because of an error that its code did not expect.

    Each such request got 500, and its node reports it as an event, `internal_error`. A client that retries, or that calls any
    error a refusal, hides it. A node that refuses a request on purpose does not count. Unknown if not even
    a node's start was recorded.
    """
    errors = history.events[history.events["kind"] == "internal_error"]
    if errors.empty and not (history.events["kind"] == "started").any():
        return Verdict(valid=None, why="it was not recorded what nodes reported")
    if errors.empty:
        return Verdict(valid=True, why="no node failed to handle a request")
    first = errors.iloc[0]
    return Verdict(
        valid=False,
        why=f"{count(len(errors), 'request')} ended in an internal error; the first one was at {first['node']} at"
        f" {first['at_ns'] / 1e9:.2f} s: {first['detail']}",
    )


def applies(history: History) -> bool:
    """Whether a node reported that it failed to handle a request."""
    return bool((history.events["kind"] == "internal_error").any())
