"""How much to send to another node at once, so that each message gets through in time however thin the link is.

A message that takes longer than its sender waits is sent again, takes as long again, and never gets through. So one that was
not answered in time is followed by one of half its size, and one that was answered in less than half of the time may be
followed by one of twice the size: that one still fits if the link is what takes the time.

Only long messages tell: if a short one is not answered, the link is cut, or the node hangs.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from harness.http.message import TimedOut

LEAST: Final = 1024
"""No message needs to be shorter than this, in bytes: less than a packet."""


@dataclass
class Exchanged:
    """What a message and its answer come to, in bytes."""

    size: int


class Pace:
    """The most bytes that a message to one node should have: from `LEAST` to what it is given, where it begins.

    One that has to get through at the first attempt begins with less, and grows as long as messages get through.
    """

    def __init__(self, most: int, *, first: int | None = None) -> None:
        """`first`: where it begins, if that is less than `most`."""
        self._limit = max(most, LEAST)
        self.most = self._limit if first is None else min(max(first, LEAST), self._limit)

    @contextlib.contextmanager
    def timed(self, size: int, timeout_s: float) -> Iterator[Exchanged]:
        """Send a message of so many bytes inside, and wait there for its answer, `timeout_s` at most. Errors pass through.

        If that is an answer whose size was only expected, set it to what it was.
        """
        exchanged, clock = Exchanged(size), asyncio.get_running_loop().time
        sent_s = clock()
        try:
            yield exchanged
        except TimedOut:
            self.late(size)
            raise
        self.answered(exchanged.size, clock() - sent_s, timeout_s)

    def answered(self, size: int, took_s: float, timeout_s: float) -> None:
        """A message of so many bytes was answered after so long; its sender would have waited for `timeout_s`."""
        if took_s < timeout_s / 2 and size > self.most // 2:
            self.most = min(2 * self.most, self._limit)

    def late(self, size: int) -> None:
        """A message of so many bytes was not answered in time."""
        if size >= 2 * LEAST:
            self.most = max(min(self.most, size) // 2, LEAST)
