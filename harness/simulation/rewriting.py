"""Notices a node that rewrites a log far more often than it grows.

A log that is only appended to grows for ever, so it is replaced now and then by one with what still counts. Whoever does that
when it has doubled rewrites at most about two bytes for each that was appended. Whoever does it too often still does everything
right, and fast while a node holds little; but the more it holds, the more its disk does nothing else (*write amplification*).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MOST: Final = 4
"""At most this many bytes are rewritten for each that was appended …"""
SPARED: Final = 8
"""… beyond this many times the longest log: a snapshot that comes from another node replaces a log that has not grown …"""
SPARED_BYTES: Final = 64 * 1024
"""… and beyond this much: short logs are not worth a thought."""


@dataclass
class _Log:
    appended_bytes: int = 0
    rewritten_bytes: int = 0
    longest_bytes: int = 0
    times: int = 0


class Rewriting:
    """What the processes of one host append to their files, and by how much they replace them."""

    def __init__(self, failures: Callable[[], int]) -> None:
        """`failures`: how many operations of the disk have failed so far. After one, a log has to be replaced, once or more."""
        self.found: str | None = None
        """The first log that was rewritten too often; None if none was."""
        self._failures = failures
        self._failed = 0
        self._logs: dict[str, _Log] = {}

    def begin(self) -> None:
        """A process starts: it may replace what it has read."""
        self._logs.clear()

    def appended(self, name: str, size: int) -> None:
        """So many bytes were added to a file."""
        self._logs.setdefault(name, _Log()).appended_bytes += size

    def replaced(self, name: str, size: int) -> None:
        """A file was replaced by one of this size."""
        if (failed := self._failures()) != self._failed:
            self._failed = failed
            self._logs.clear()
        log = self._logs.setdefault(name, _Log())
        log.times += 1
        log.rewritten_bytes += size
        log.longest_bytes = max(log.longest_bytes, size)
        # A file that is never appended to is no log: its owner has no other way to change it.
        most_bytes = MOST * log.appended_bytes + SPARED * log.longest_bytes + SPARED_BYTES
        if log.appended_bytes and log.rewritten_bytes > most_bytes and self.found is None:
            self.found = (
                f"{name} was replaced {log.times} times, by {log.rewritten_bytes} bytes in all, while {log.appended_bytes} were"
                " appended"
            )
