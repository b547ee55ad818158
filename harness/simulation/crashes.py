"""Imagined crashes: what a crash in a host's disk operation would leave, and whether the node would recover from that.

A real crash shows what it lost only if something is asked for later that no other node can supply. An imagined one costs no
more than reading a copy of the disk, so a run has hundreds of them, also in the middle of writes.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from harness.node.control import ControlPage
from harness.node.crashpoints import MemoryFiles
from harness.node.disk import Disk
from harness.simulation.disk import MemoryDisk

_EVERY: Final = 60
_BYTES: Final = 400
"""The mean number of disk operations from one imagined crash to the next is this, and one more for every so many bytes that the
last one left. A start reads all of them, and would cost more than the run itself if the disk holds much."""

_OF_NAMES: Final = ("rename ", "sync the folder")
_COUNTS: Final = 8
"""An operation on names counts as this many: they are rare, and much can go wrong between them."""


class Crashes:
    """The imagined crashes of one host."""

    def __init__(self, disk: MemoryDisk, control: ControlPage, random: Random) -> None:
        self.forgotten: str | None = None
        """The first thing that the node would have forgotten, and when."""
        self._disk = disk
        self._control = control
        self._random = random
        self._left = 0
        self._folder = ""
        self._ask: Callable[[Disk], str | None] | None = None

    def begin(self, folder: str, ask: Callable[[Disk], str | None]) -> None:
        """Imagine crashes from now on. `ask` says what the process would have forgotten if it started on a disk."""
        self._folder, self._ask = folder, ask

    def end(self) -> None:
        """The process that could be asked is over."""
        self._ask = None

    def count(self, operation: str, now_s: float) -> None:
        """A disk operation begins: perhaps imagine a crash at its beginning."""
        self._left -= _COUNTS if operation.startswith(_OF_NAMES) else 1
        if self._left < 0:
            left_bytes = self.imagine(now_s)
            self._left = self._random.randrange(2 * (_EVERY + left_bytes // _BYTES))

    def imagine(self, now_s: float) -> int:
        """Imagine a crash, unless there is nobody to ask, or the disk has been damaged, so that much may be lost.

        Returns how many bytes it left.
        """
        if self._ask is None or self.forgotten is not None:
            return 0
        holes = {tracked.name: tracked.holes for tracked in self._control.tracked()}
        left = self._disk.after_crash(self._folder, holes, self._random)
        if left is None:
            return 0
        try:
            why = self._ask(Disk(MemoryFiles(left)))
        except Exception as error:  # the node's own code, which starts on what it may not expect
            why = f"it would not start: {type(error).__name__}: {error}"
        if why is not None:
            self.forgotten = f"at {now_s:.3f} s, after a crash, {why}"
        return sum(map(len, left.values()))
