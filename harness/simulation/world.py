"""The world: virtual time, and its future events.

One heap of events for all hosts, ordered by time and then by the order of scheduling. Nothing else advances time. Every
relevant event goes into a digest, so that two runs can be compared; with `record`, the world keeps each event as well.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from heapq import heappop, heappush, heappushpop
from itertools import count
from random import Random
from typing import Any, Final, NamedTuple, Protocol

from harness.model.errors import HarnessError
from harness.model.seeds import stream

EPOCH_S: Final = 1_700_000_000.0
"""The time on correct wall clocks when the world begins."""

BEGIN_S: Final = 1000.0
"""The monotonic time when the world begins: code that subtracts a little from it stays above 0."""

STEPS_PER_S: Final = 1_000_000
"""If there are more callbacks than this in a simulated second, on average over the run, some code runs away."""

_SOON_S: Final = 1 / 16
"""Timers due later than this wait outside the heap: most are cancelled before. A power of two, so that products are exact."""

_NEVER_S: Final = 1e12
_LOOK_EVERY: Final = 10_000
"""The number of steps between checks for code that runs away."""

_BEGUN: Final = 512
"""When this many tasks have begun, the world releases the finished ones."""


class SimulationError(HarnessError):
    """The simulation cannot continue: a node did something that simulated nodes must not do, or the run did not end."""


class Happening(NamedTuple):
    """One recorded event: what a host did or received at a time."""

    at_s: float
    kind: str
    host: str
    detail: str


Act = Callable[..., object]
Entry = tuple[float, int, Act, tuple[Any, ...]]
"""The time, the order among events of the same time, the function, and its arguments."""


class Timer(Protocol):
    """Something that rings at a time, in the `order` that the world assigned."""

    when_s: float
    order: int

    @property
    def what(self) -> object | None:
        """None if it was cancelled."""

    def ring(self) -> None: ...


class World:
    """Virtual time, in seconds of the monotonic clock."""

    def __init__(self, seed: int, *, record: bool = False) -> None:
        self.seed = seed
        self.now = BEGIN_S
        self.steps = 0
        """The number of callbacks that ran on all hosts."""
        self.digest = 0
        """A digest of everything that has happened so far."""
        self.happenings: list[Happening] | None = [] if record else None
        self.trail: list[str] = []
        """Everything that the digest covers, one line each, if it is recorded."""
        self.heap: list[Entry] = []
        """Events that are due soon. Code that adds one takes the next `order`."""
        self.order = count()
        self._next: Entry | None = None
        """One entry beside the heap, which is probably the next event."""
        self._later: dict[float, list[Timer]] = {}
        """Timers that are not due soon, by the sixteenth of a second of their time."""
        self._begun: list[asyncio.Task[Any]] = []
        """Tasks of hosts that may be dead. The world holds them until they are over, so that no dead host's coroutine is closed
        while others run: its `finally` would run then."""
        self._look_at_begun = _BEGUN
        self._parts: list[object] = []
        self._error: BaseException | None = None
        self._look_at_steps = _LOOK_EVERY
        self.over = False
        """Set this to make `run` return."""
        self.turning: asyncio.AbstractEventLoop | None = None
        """The loop whose callbacks run now."""
        self.entered: asyncio.AbstractEventLoop | None = None
        """The last loop whose callbacks ran. asyncio's C code takes it for the running loop."""
        self._numbers = count(1)

    def random(self, component: str) -> Random:
        """The random stream of one component."""
        return stream(self.seed, component)

    def next_number(self) -> int:
        """A unique number."""
        return next(self._numbers)

    @property
    def monotonic_ns(self) -> int:
        return round(self.now * 1e9)

    def at(self, when: float, act: Act, *args: Any) -> None:
        """Schedule a call at a time, or now if that is past."""
        heappush(self.heap, (when if when > self.now else self.now, next(self.order), act, args))

    def after(self, seconds: float, act: Act, *args: Any) -> None:
        heappush(self.heap, (self.now + seconds, next(self.order), act, args))

    def at_next(self, when: float, act: Act) -> None:
        """Like `at`, for what is probably the next event. The time must not be past."""
        entry = (when, next(self.order), act, ())
        if self._next is None:
            self._next = entry
        else:
            heappush(self.heap, entry)

    def skip_to(self, when: float) -> bool:
        """Advance to a time if no other event is due until then; whether it did."""
        if self._next is not None or self.over or (self.heap and self.heap[0][0] <= when):
            return False
        self.now = when
        return True

    def set_timer(self, timer: Timer) -> None:
        """Let a timer ring at its time, or now if that is past, unless it is cancelled before."""
        when = timer.when_s
        later = self._later.get(when // _SOON_S)
        if later is not None:
            later.append(timer)
        elif when < self.now + 2 * _SOON_S:
            heappush(self.heap, (when if when > self.now else self.now, timer.order, timer.ring, ()))
        else:
            part = min(when, _NEVER_S) // _SOON_S
            if part not in self._later:
                self._later[part] = []
                heappush(self.heap, (part * _SOON_S, -1, self._draw_near, (part,)))  # before all other events of that time
            self._later[part].append(timer)

    def _draw_near(self, part: float) -> None:
        for timer in self._later.pop(part):
            if timer.what is not None:
                heappush(self.heap, (timer.when_s, timer.order, timer.ring, ()))

    def hold_task(self, task: asyncio.Task[Any]) -> None:
        """Hold a task until it is over, even if its host dies."""
        begun = self._begun
        begun.append(task)
        if len(begun) > self._look_at_begun:
            begun[:] = [one for one in begun if not one.done()]
            self._look_at_begun = max(_BEGUN, 2 * len(begun))

    def hold(self, part: object) -> None:
        """Hold a part of a process, such as its loop, to the end, even if its host dies."""
        self._parts.append(part)

    def note(self, kind: str, host: str, detail: str = "") -> None:
        """Record an event that two equal runs have in common."""
        self.mix(hash_text(kind), hash_text(host), hash_text(detail))
        if self.happenings is not None:
            self.happenings.append(Happening(self.now, kind, host, detail))
            self.trail[-1] = f"{self.now:.9f} {kind} {host} {detail}"

    def mix(self, *numbers: float) -> None:
        """Add numbers, and the time, to the digest. Python's hashes of numbers are the same in every process."""
        self.digest = hash((self.digest, self.now, numbers))
        if self.happenings is not None:
            self.trail.append(f"{self.now:.9f} {numbers}")

    def fail(self, error: BaseException) -> None:
        """End the simulation with an error, as soon as the current callback returns."""
        if self._error is None:
            self._error = error
        self.over = True

    def run(self, until_s: float) -> None:
        """Run events until the world is `over`.

        Raises the error of `fail`, and `SimulationError` if the run does not end.
        """
        self.at(until_s, self._come_to_no_end)
        heap = self.heap
        while not self.over:
            entry = self._next
            if entry is None:
                entry = heappop(heap)
            else:
                self._next = None
                entry = heappushpop(heap, entry)
            self.now, _, act, args = entry
            act(*args)
        if self._error is not None:
            raise self._error

    def _come_to_no_end(self) -> None:
        if self.heap or self._later or self._next:
            raise SimulationError(f"The run was not over after {self.now - BEGIN_S:g} simulated seconds.")
        raise SimulationError("Nothing is left to happen, and the run is not over: every host waits for another one.")

    def count_turn(self, host: int, number: int) -> None:
        """Count `number` callbacks that a host runs now."""
        self.digest = hash((self.digest, self.now, (host, number)))
        if self.happenings is not None:
            self.trail.append(f"{self.now:.9f} {(host, number)}")
        self.steps += number
        if self.steps > self._look_at_steps:
            self._look_at_steps = self.steps + _LOOK_EVERY
            if self.steps > STEPS_PER_S * (1 + self.now - BEGIN_S):
                passed = f"{self.steps:,} callbacks in {self.now - BEGIN_S:.3f} simulated seconds"
                self.fail(SimulationError(f"Some node runs away: {passed}."))

    def forget(self) -> None:
        """Release everything: future events, and what the dead were doing."""
        self._next = None
        self.heap.clear()
        self._later.clear()
        self._begun.clear()
        self._parts.clear()


def hash_text(text: str) -> int:
    """A hash of a string that is the same in every process, unlike `hash`."""
    return zlib.crc32(text.encode())
