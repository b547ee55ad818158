"""The rule of writes that follow each other: resolutions to accept, and one to reject."""

from __future__ import annotations

import pytest

from systems.eventual.known_bad import DeafClock
from systems.eventual.messages import Context
from systems.eventual.resolution import KeepSiblings, LastWriterWins, Resolution
from systems.eventual.shown import Shown
from systems.eventual.write_rules import LaterWriteWins
from systems.parts.hybrid_clock import HybridClock, Timestamp


class Repeats(HybridClock):
    """A clock that begins to count again if the wall clock shows the same time as before."""

    def now(self) -> Timestamp:
        time_us = self._read_us()
        if time_us >= self._time_us:
            self._time_us, self._count = time_us, 0
        else:
            self._count += 1
        return Timestamp(self._time_us, self._count, self._node)


def told(resolution: Resolution) -> str | None:
    """After a write of the node itself, and one that it learned from another node whose clock is ahead."""
    own = resolution.written(None, "own", Context())
    learned = LastWriterWins(HybridClock("n2", lambda: 2000)) if isinstance(resolution, LastWriterWins) else KeepSiblings("n2")
    other = learned.written(None, "other", Context())
    resolution.heard(other)
    rule, before = LaterWriteWins(), resolution.written(own, "before", Context())
    states = {"k": own, "l": other, "m": before}
    return next((why for _ in range(3) if (why := rule.broken({"n1": Shown(states=states, resolution=resolution)}))), None)


@pytest.mark.parametrize("resolution", [LastWriterWins(HybridClock("n1", lambda: 1000)), KeepSiblings("n1")])
def test_the_later_of_two_writes_wins_though_no_clock_advances(resolution: Resolution) -> None:
    assert told(resolution) is None


def test_a_clock_that_repeats_a_timestamp_loses_a_write() -> None:
    assert told(LastWriterWins(Repeats("n1", lambda: 1000))) is not None


def test_a_clock_that_does_not_hear_of_later_times_loses_a_write() -> None:
    resolution = LastWriterWins(DeafClock("n1", lambda: 1000))
    ahead = LastWriterWins(HybridClock("n2", lambda: 2000)).written(None, "other", Context())
    resolution.heard(ahead)
    why = LaterWriteWins().broken({"n1": Shown(states={"k": ahead}, resolution=resolution)})
    assert why == "n1 would lose a write to what is there already, although its client has seen that"


def test_a_clock_that_did_not_hear_of_what_the_node_holds_loses_a_write_of_a_client_that_has_not_seen_it() -> None:
    """Such a client does not bring the later time along."""
    resolution, ahead = LastWriterWins(HybridClock("n1", lambda: 1000)), LastWriterWins(HybridClock("n2", lambda: 2000))
    states = {"k": resolution.written(None, "own", Context()), "l": ahead.written(None, "other", Context())}
    rule, shown = LaterWriteWins(), {"n1": Shown(states=states, resolution=resolution)}
    assert "n1 would lose a write to what is there already" in [rule.broken(shown) for _ in states]
    resolution.heard(states["l"])
    assert [rule.broken(shown) for _ in states] == [None, None]


def test_what_is_imagined_takes_no_timestamp() -> None:
    clock = HybridClock("n1", lambda: 1000)
    resolution = LastWriterWins(clock)
    before = resolution.written(None, "value", Context())
    assert told(LastWriterWins(clock.standing_still())) is None
    assert LaterWriteWins().broken({"n1": Shown(states={"k": before}, resolution=resolution)}) is None
    assert clock.now() == Timestamp(1000, 1, "n1")


def test_nothing_is_imagined_of_a_node_that_shows_no_resolution() -> None:
    assert LaterWriteWins().broken({}) is None
    assert LaterWriteWins().broken({"n1": Shown(states={})}) is None
