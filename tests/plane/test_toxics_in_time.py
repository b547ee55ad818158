"""What toxics that take their time let pass, by a clock that the test sets."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

import pytest

from faults.plane.kind import Chunk
from faults.plane.link import Link
from faults.plane.metrics import ByteCounter
from faults.plane.toxic import Toxic
from faults.plane.toxics import KINDS

_SECOND_NS = 1_000_000_000


class Clock:
    """Passes time only when it is told to."""

    def __init__(self) -> None:
        self._now_ns = 0
        self._timers: list[tuple[int, int, Alarm]] = []
        self._numbers = itertools.count()

    def now_ns(self) -> int:
        return self._now_ns

    def at(self, due_ns: int, callback: Callable[[], None]) -> Alarm:
        alarm = Alarm(callback)
        heapq.heappush(self._timers, (due_ns, next(self._numbers), alarm))
        return alarm

    def run_to(self, at_s: float) -> None:
        """Let time pass until then, and call back what falls due."""
        while self._timers and self._timers[0][0] <= at_s * _SECOND_NS:
            due_ns, _, alarm = heapq.heappop(self._timers)
            self._now_ns = max(self._now_ns, due_ns)
            alarm.callback()
        self._now_ns = round(at_s * _SECOND_NS)


class Alarm:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback = callback

    def cancel(self) -> None:
        self.callback = lambda: None


class End:
    """Both ends of a link: counts the bytes that arrive."""

    lost = blocked = False

    def __init__(self) -> None:
        self.bytes = 0
        self.forward: Callable[[bytes], None] = lambda data: None
        self.write: Callable[[bytes], None] = lambda data: None

    def feed(self, chunk: Chunk) -> None:
        self.bytes += len(chunk.data)

    def unwritten_bytes(self) -> int:
        return 0

    def end(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def reset_at_close(self) -> None: ...


def toxic(kind: str, **attributes: int) -> Toxic:
    return Toxic(kind, kind, "upstream", "upstream", 1.0, KINDS[kind], KINDS[kind].attributes(**attributes))


class World:
    """A link with some toxics, into which twenty chunks of 1,000 bytes go within a fifth of a second."""

    def __init__(self, *toxics: Toxic) -> None:
        self.clock, self.sink = Clock(), End()
        self.link = Link(End(), self.sink, ByteCounter(), self.clock, "1")
        self.link.begin(list(toxics))
        for number in range(20):
            self.clock.run_to(number * 0.01)
            self.link.feed(bytes(1000))

    def arrived(self, at_s: float) -> int:
        """How many bytes have arrived by then."""
        self.clock.run_to(at_s)
        return self.sink.bytes


KINDS_OF_RATE = ["bandwidth", "shared_bandwidth"]


@pytest.mark.parametrize("kind", KINDS_OF_RATE)
def test_a_rate_holds_for_all_that_was_sent_at_once(kind: str) -> None:
    world = World(toxic(kind, rate=10))
    assert [world.arrived(at_s) for at_s in (0.5, 1.0, 2.0)] == [5_000, 10_000, 20_000]


@pytest.mark.parametrize("kind", KINDS_OF_RATE)
def test_a_raised_rate_does_not_hold_for_the_time_before(kind: str) -> None:
    rate = toxic(kind, rate=1)
    world = World(rate)
    assert world.arrived(3.0) <= 3_000
    rate.attributes = KINDS[kind].attributes(rate=5)
    world.link.update(rate)
    assert world.arrived(3.0) <= 3_000 + 1_000 + 500  # the chunk in hand, and what a shared rate makes up for
    assert world.arrived(4.0) <= 3_000 + 1_000 + 500 + 5_000
    assert world.arrived(7.0) == 20_000


def test_delays_of_several_latencies_add_up_for_all_data() -> None:
    latencies = [toxic("latency", latency=1_000), toxic("latency", latency=2_000)]
    world = World(*latencies)
    assert [world.arrived(at_s) for at_s in (2.99, 3.0, 3.1, 3.19)] == [0, 1_000, 11_000, 20_000]


@pytest.mark.parametrize("kind", KINDS_OF_RATE)
def test_what_a_toxic_before_it_held_passes_at_the_rate_once_that_is_removed(kind: str) -> None:
    latency = toxic("latency", latency=60_000)
    world = World(latency, toxic(kind, rate=10))
    assert world.arrived(3.0) == 0
    world.link.remove(latency)
    assert world.arrived(3.0) <= 1_000
    assert 9_000 <= world.arrived(4.0) <= 11_000
    assert world.arrived(5.0) == 20_000
