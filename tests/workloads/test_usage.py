"""Whether the load engine or the server delays calls."""

from __future__ import annotations

import pytest

from workloads.load.engine.usage import Usage

MS = 1_000_000


@pytest.mark.parametrize(
    ("idle_ms", "queued_ms", "late_ms", "busy", "saturated", "blocked"),
    [
        (0, 0, 50, 100, 100, 0),  # it works all the time, and calls wait
        (0, 0, 0, 100, 0, 0),  # it works all the time, and no call waits
        (60, 0, 50, 40, 0, 100),  # calls wait, and it has nothing to do: for the server's answers
        (60, 60, 50, 100, 100, 0),  # it was not idle: it waited for a processor
        (60, 0, 0, 40, 0, 0),
    ],
)
def test_calls_that_wait_are_blamed_on_the_busy_side(
    idle_ms: int, queued_ms: int, late_ms: int, busy: int, saturated: int, blocked: int
) -> None:
    waited = [0]
    usage = Usage(lambda: waited[0])
    usage.begin(1000 * MS)
    usage.idle(idle_ms * MS)
    waited[0] = queued_ms * MS
    usage.interval(1100 * MS, (1100 - late_ms) * MS)
    found = (usage.busy_ns // MS, usage.queued_ns // MS, usage.saturated_ns // MS, usage.blocked_ns // MS)
    assert found == (busy, queued_ms, saturated, blocked)


def test_what_was_before_the_load_does_not_count() -> None:
    usage = Usage(lambda: 0)
    usage.idle(100 * MS)
    usage.begin(500 * MS)
    usage.interval(600 * MS, 0)
    assert (usage.busy_ns, usage.saturated_ns) == (100 * MS, 100 * MS)
