"""The world: virtual time, and what is to happen in it.

One heap of events for all hosts, ordered by time and then by the order in which they were asked for. Nothing else moves time.
Every event that matters goes into a digest, so that two runs can be compared; with `record`, each is kept as well.
"""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any, Final, NamedTuple

from harness.model.errors import HarnessError
from harness.model.seeds import stream

EPOCH_S: Final = 1_700_000_000.0
"""What right wall clocks show when the world begins."""

BEGIN_S: Final = 1000.0
"""What the monotonic clock shows when the world begins: code that subtracts a little from it stays above 0."""

STEPS_PER_S: Final = 1_000_000
"""More callbacks in a simulated second than this, summed up over the run, and something runs away."""

_CANCELLED: Final = 4096
"""So many cancelled timers may lie in the heap before they are swept out."""


class SimulationError(HarnessError):
    """The simulation cannot go on: what it ran did what no simulated node may do, or came to no end."""


class Happening(NamedTuple):
    """One recorded event: what a host did or was sent at a time."""

    at_s: float
    kind: str
    host: str
    detail: str


Act = Callable[..., object]


class World:
    """Virtual time, in seconds of the monotonic clock."""

    def __init__(self, seed: int, *, record: bool = False) -> None:
        self.seed = seed
        self.now = BEGIN_S
        self.steps = 0
        """Callbacks that were run, on all hosts."""
        self.digest = 0
        """Stands for all that has happened so far."""
        self.happenings: list[Happening] | None = [] if record else None
        self.trail: list[str] = []
        """The same and everything else that the digest stands for, one line each, if it is recorded."""
        self.begun: list[object] = []
        """Tasks and loops of hosts that may be dead. They are held to the end, so that no garbage collection closes a dead
        host's coroutine while others run: its `finally` would run then."""
        self._heap: list[tuple[float, int, Act, tuple[Any, ...]]] = []
        self._order = count()
        self._cancelled = 0
        self._error: BaseException | None = None
        self.over = False
        """Set it, and `run` returns."""
        self._numbers = count(1)

    def random(self, component: str) -> Random:
        """The random stream of one component."""
        return stream(self.seed, component)

    def next_number(self) -> int:
        """A number that comes once."""
        return next(self._numbers)

    @property
    def monotonic_ns(self) -> int:
        return round(self.now * 1e9)

    def at(self, when: float, act: Act, *args: Any) -> None:
        """Have something happen at a time, or now if that is past."""
        heapq.heappush(self._heap, (when if when > self.now else self.now, next(self._order), act, args))

    def after(self, seconds: float, act: Act, *args: Any) -> None:
        heapq.heappush(self._heap, (self.now + seconds, next(self._order), act, args))

    def note(self, kind: str, host: str, detail: str = "") -> None:
        """Something happened that two equal runs have in common."""
        self.mix(hash_text(kind), hash_text(host), hash_text(detail))
        if self.happenings is not None:
            self.happenings.append(Happening(self.now, kind, host, detail))
            self.trail[-1] = f"{self.now:.9f} {kind} {host} {detail}"

    def mix(self, *numbers: float) -> None:
        """Take numbers, and the time, into the digest. Python hashes numbers the same in every process."""
        self.digest = hash((self.digest, self.now, numbers))
        if self.happenings is not None:
            self.trail.append(f"{self.now:.9f} {numbers}")

    def fail(self, error: BaseException) -> None:
        """End the simulation with an error, as soon as what runs now is over."""
        if self._error is None:
            self._error = error

    def timer_cancelled(self) -> None:
        """One of the timers in the heap will not be needed."""
        self._cancelled += 1
        if self._cancelled > max(_CANCELLED, len(self._heap) // 2):
            self._heap = [entry for entry in self._heap if not (entry[3] and getattr(entry[3][0], "_cancelled", False))]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def run(self, until_s: float) -> None:
        """Let things happen until it is `over`.

        Raises what went wrong, and `SimulationError` if there is no end to it.
        """
        pop = heapq.heappop
        while not self.over:
            heap = self._heap
            if not heap:
                raise SimulationError("Nothing is left to happen, and the run is not over: every host waits for another one.")
            at, _, act, args = pop(heap)
            if at > until_s:
                raise SimulationError(f"The run was not over after {until_s - BEGIN_S:g} simulated seconds.")
            self.now = at
            act(*args)
            if self._error is not None:
                raise self._error
            if self.steps > STEPS_PER_S * (1 + at - BEGIN_S):
                raise SimulationError(f"Some node runs away: {self.steps:,} callbacks in {at - BEGIN_S:.3f} simulated seconds.")

    def forget(self) -> None:
        """Let go of everything: what is to happen, and what the dead were doing."""
        self._heap.clear()
        self.begun.clear()


def hash_text(text: str) -> int:
    """A number for a text, the same in every process, unlike `hash`."""
    return zlib.crc32(text.encode())
