"""The journal of a simulated node, in memory; see `harness.node.journal`."""

from __future__ import annotations

from collections.abc import Callable

from harness.node.journal import Journal


class MemoryJournal:
    """What all processes of one host have appended; see `harness.model.system.Journaled`."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._appended: list[tuple[int, int]] = []
        """The time of each addition, and the length before it."""

    def of(self, now_ns: Callable[[], int]) -> Journal:
        """The journal for a process that has this clock."""
        return _Writer(self, now_ns)

    def append(self, data: bytes, at_ns: int) -> None:
        self._appended.append((at_ns, len(self._data)))
        self._data += data

    def forget_after(self, at_ns: int) -> None:
        """Take back what was appended after a time, by a process that was ahead of its death."""
        while self._appended and self._appended[-1][0] > at_ns:
            _, length = self._appended.pop()
            del self._data[length:]

    def size(self) -> int:
        return len(self._data)

    def read_at(self, offset: int, length: int) -> bytes:
        return bytes(self._data[offset : offset + length])


class _Writer:
    def __init__(self, journal: MemoryJournal, now_ns: Callable[[], int]) -> None:
        self._journal = journal
        self._now_ns = now_ns

    def append(self, data: bytes) -> None:
        self._journal.append(data, self._now_ns())
