"""When one worker's calls fall due: every n-th arrival, drawn in blocks, so that the load can have any length."""

from __future__ import annotations

import dataclasses
from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.model.load import Load
from workloads.load.arrivals import blocks

NEVER_NS: Final = 1 << 62
Times: TypeAlias = "array[int]"
"""Times in ns of the monotonic clock, ascending, 64 bits each: cut and joined without touching single ones."""
_SIZE: Final = 1024
"""Calls of one worker drawn at a time. Few, because nothing is sent meanwhile."""


class Schedule:
    """Due times of worker `number` of `workers`, in ns of the monotonic clock, ascending. All workers draw the same times.

    The warm-up is a separate load, at the load's rate without its shape.
    """

    def __init__(self, load: Load, warm_up_s: float, seed: int, number: int, workers: int) -> None:
        self._load, self._seed, self._number, self._workers = load, seed, number, workers
        self._warm_up_ns = round(warm_up_s * 1e9)
        self._from_ns = self.counted_from_ns = self.end_ns = NEVER_NS
        self._changes = 0
        self._drawn: Iterator[NDArray[np.int64]] = iter(())
        self._blocks: deque[NDArray[np.int64]] = deque()
        self._dues = array("q")
        self._at = 0
        self._last_ns = 0
        self.next_ns = NEVER_NS
        """When the next call falls due, or did."""

    def begin(self, at_ns: int) -> None:
        self._from_ns, self.counted_from_ns = at_ns, at_ns + self._warm_up_ns
        self.end_ns = self.counted_from_ns + round(self._load.seconds * 1e9)
        self._draw_anew(at_ns)

    def set_rate(self, rate: float, at_ns: int) -> None:
        """Change the rate, which a shape multiplies, from a time on. What was due before stays due."""
        self._cut_off(at_ns)
        self._load = dataclasses.replace(self._load, rate=rate)
        self._draw_anew(max(at_ns, self._last_ns + 1))

    def stop(self, at_ns: int) -> None:
        """Let nothing fall due from a time on."""
        self._cut_off(at_ns)
        self.end_ns = min(self.end_ns, at_ns)

    def take(self, most: int, now_ns: int) -> Times:
        """The due times of the oldest calls that are due, at most `most`."""
        first, dues = self._at, self._dues
        last = bisect_right(dues, now_ns, first, min(first + most, len(dues)))
        taken = dues[first:last]
        if taken:
            self._last_ns = taken[-1]
            self._at = last
            self._look()
        return taken

    def gathered(self, by_ns: int, least: int) -> int:
        """The due time of the last call due by `by_ns`, if there are at least `least` by then; otherwise 0.

        Calls that have yet to be drawn do not count.
        """
        last = bisect_right(self._dues, by_ns, self._at)
        return self._dues[last - 1] if last - self._at >= least else 0

    def waiting(self, now_ns: int) -> int:
        """How many counted calls are due and not taken. Whole blocks count by their length, because a backlog may be long."""
        self._draw_until(now_ns)
        from_ns, count = self.counted_from_ns, 0
        if (at := self._at) < len(self._dues):
            count += max(bisect_right(self._dues, now_ns, at) - bisect_left(self._dues, from_ns, at), 0)
        for block in self._blocks:
            if from_ns <= block[0] and block[-1] <= now_ns:
                count += len(block)
            else:
                count += max(int(np.searchsorted(block, now_ns, "right") - np.searchsorted(block, from_ns)), 0)
        return count

    def _draw_anew(self, at_ns: int) -> None:
        self._dues, self._at = self._pending(), 0
        self._blocks.clear()
        self._drawn = self._from(at_ns, np.random.default_rng([self._seed, self._changes]))
        self._changes += 1
        self._look()

    def _from(self, at_ns: int, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        for from_ns, to_ns, shape in (
            (self._from_ns, self.counted_from_ns, None),
            (self.counted_from_ns, self.end_ns, self._load.shape),
        ):
            # A shape is drawn from its own beginning, however much of it is past.
            origin_ns = from_ns if shape is not None else max(from_ns, at_ns)
            if origin_ns >= to_ns or at_ns >= to_ns:
                continue
            load = dataclasses.replace(self._load, shape=shape, seconds=(to_ns - origin_ns) / 1e9)
            count = 0
            for block in blocks(load, random, _SIZE * self._workers):
                own = origin_ns + block[(self._number - count) % self._workers :: self._workers]
                count += len(block)
                yield own[int(np.searchsorted(own, at_ns)) :]

    def _cut_off(self, at_ns: int) -> None:
        self._draw_until(at_ns)
        self._drawn = iter(())
        pending = self._pending()
        self._dues, self._at = pending[: bisect_left(pending, at_ns)], 0
        self._blocks.clear()
        self._look()

    def _pending(self) -> Times:
        return array("q", b"".join([self._dues[self._at :], *(block.tobytes() for block in self._blocks)]))

    def _draw_until(self, at_ns: int) -> None:
        last_ns = int(self._blocks[-1][-1]) if self._blocks else self._dues[-1] if self._dues else 0
        while last_ns < at_ns and (block := next(self._drawn, None)) is not None:
            if len(block):
                self._blocks.append(block)
                last_ns = int(block[-1])
        self._look()

    def _look(self) -> None:
        while self._at >= len(self._dues):
            block = self._blocks.popleft() if self._blocks else next(self._drawn, None)
            if block is None:
                self.next_ns = NEVER_NS
                return
            self._dues, self._at = array("q", block.tobytes()), 0
        self.next_ns = self._dues[self._at]
