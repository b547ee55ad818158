"""A node's control page: a small file that the node and the harness both map, so that the harness can steer disk and clock.

The harness writes settings. The node's storage and clock read them at every use and count what they did, which is the evidence.
The page belongs to a file, not to a process, so it outlives the node. Node code does not see it.

It is an array of 64-bit words, and each side writes a word atomically. A record of several words is complete before the word
that makes it valid is set.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from harness.model.steering import Counter, Setting, Term, Tracked
from harness.node import memory, moments

_WORD: Final = 8
_TERMS_AT: Final = 16
_TERMS: Final = 8
_FILES_AT: Final = 64
_FILES: Final = 1023
_FILE_WORDS: Final = 32
_HOLES: Final = 4
_NAME_AT: Final = 3 + 2 * _HOLES
_NAME_BYTES: Final = (_FILE_WORDS - _NAME_AT) * _WORD
_MOMENTS_AT: Final = _FILES_AT + _FILES * _FILE_WORDS
_MEMORY_AT: Final = _MOMENTS_AT + moments.WORDS
_WORDS: Final = _MEMORY_AT + memory.WORDS

ALL: Final = 2**63 - 1
"""The synced length of a file that is durable as a whole, whatever its length."""


class ControlPage:
    """The page, from either side. `path` is a file made by `create`; None gives a private page.

    `stop` is how the node stops itself.
    """

    def __init__(self, path: Path | None = None, stop: Callable[[], None] = moments.stop_self) -> None:
        if path is None:
            self._map = mmap.mmap(-1, _WORDS * _WORD)
        else:
            with path.open("r+b") as file:
                self._map = mmap.mmap(file.fileno(), _WORDS * _WORD)
        self._words = memoryview(self._map).cast("q")
        self.moments = moments.Moments(self._words, _MOMENTS_AT, stop)
        self.memory = memory.Memory(self._words, _MEMORY_AT)

    @classmethod
    def create(cls, path: Path) -> ControlPage:
        """A new page with no faults, in a new file; a process that has mapped an old file of that name keeps the old one.

        Its space on the disk is taken now: if the disk were full by the time at which a word is first written, the kernel would
        kill the writer, and a node would look as if it had died by itself.
        """
        path.unlink(missing_ok=True)
        with path.open("xb") as file:
            os.posix_fallocate(file.fileno(), 0, _WORDS * _WORD)
        return cls(path)

    def __getitem__(self, word: Setting | Counter) -> int:
        return self._words[word]

    def __setitem__(self, word: Setting | Counter, value: int) -> None:
        self._words[word] = value

    def count(self, counter: Counter, by: int = 1) -> None:
        self._words[counter] += by

    # ----------------------------------------------------------------------------------------------------------- clock

    def set_term(self, slot: int, term: Term) -> None:
        """Add one more term to the clock's error."""
        at = _TERMS_AT + slot * 5
        for offset, value in enumerate(term, start=1):
            self._words[at + offset] = value
        self._words[at] = 1

    def clear_term(self, slot: int) -> None:
        self._words[_TERMS_AT + slot * 5] = 0

    def free_term(self) -> int | None:
        """A slot for one more term, None if all are in use."""
        return next((slot for slot in range(_TERMS) if not self._words[_TERMS_AT + slot * 5]), None)

    def deviation_ns(self, now_ns: int) -> int:
        """The error of the node's clock at `now_ns` of the monotonic clock."""
        words, total_ns = self._words, 0
        for at in range(_TERMS_AT, _TERMS_AT + _TERMS * 5, 5):
            if words[at]:
                total_ns += Term(*words[at + 1 : at + 5]).deviation_ns(now_ns)
        return total_ns

    # ----------------------------------------------------------------------------------------------------------- files

    def track(self, name: str, length: int) -> TrackedFile | None:
        """A file's entry; a new entry counts as durable up to `length`. None if there is no room."""
        encoded = os.fsencode(name)
        for at, other in self._entries():
            if other == encoded:
                return TrackedFile(self._words, at)
        free = self._free_entry()
        if free is None or len(encoded) > _NAME_BYTES:
            self.count(Counter.UNTRACKED_FILES)
            return None
        start = (free + _NAME_AT) * _WORD
        self._map[start : start + len(encoded)] = encoded
        self._words[free + 1] = length
        self._words[free] = len(encoded)
        return TrackedFile(self._words, free)

    def tracked(self) -> list[Tracked]:
        """Every file on the page."""
        return [TrackedFile(self._words, at).seen(os.fsdecode(name)) for at, name in self._entries()]

    def kept_files(self) -> Callable[[], None]:
        """Keep a copy of what it says of every file. Returns a function that puts it back."""
        place = slice(_FILES_AT * _WORD, _MOMENTS_AT * _WORD)
        kept = self._map[place]

        def put_back() -> None:
            self._map[place] = kept

        return put_back

    def _entries(self) -> Iterator[tuple[int, bytes]]:
        for at in range(_FILES_AT, _MOMENTS_AT, _FILE_WORDS):
            if not self._words[at]:
                return
            start = (at + _NAME_AT) * _WORD
            yield at, self._map[start : start + self._words[at]]

    def _free_entry(self) -> int | None:
        return next((at for at in range(_FILES_AT, _MOMENTS_AT, _FILE_WORDS) if not self._words[at]), None)


class TrackedFile:
    """One file's entry on the page, which the node keeps up to date."""

    def __init__(self, words: memoryview[int], at: int) -> None:
        self._words = words
        self._at = at

    @property
    def synced_bytes(self) -> int:
        return self._words[self._at + 1]

    @synced_bytes.setter
    def synced_bytes(self, length: int) -> None:
        self._words[self._at + 1] = length

    def replaced(self) -> None:
        """Note that another file, durable as a whole, takes its place."""
        self.synced_bytes = ALL
        self._words[self._at + 2] = 0

    def sync_failed(self, length: int) -> None:
        """Note that unsynced data is lost: the kernel marks it as written (Rebello et al., USENIX ATC 2020, section 3)."""
        words, at, begin = self._words, self._at, self.synced_bytes
        if begin < length:
            number = words[at + 2]
            if number and words[at + 2 + 2 * number] == begin:
                words[at + 2 + 2 * number] = length
            elif number < _HOLES:  # if there is no room, pretend that the file system has written this part
                words[at + 3 + 2 * number], words[at + 4 + 2 * number] = begin, length
                words[at + 2] = number + 1
            self.synced_bytes = length

    def cut(self, length: int) -> None:
        """Note that the file was truncated to this length."""
        words, at = self._words, self._at
        self.synced_bytes = min(self.synced_bytes, length)
        kept = [(begin, min(end, length)) for begin, end in self.seen("").holes if begin < length]
        for number, (begin, end) in enumerate(kept):
            words[at + 3 + 2 * number], words[at + 4 + 2 * number] = begin, end
        words[at + 2] = len(kept)

    def seen(self, name: str) -> Tracked:
        words, first = self._words, self._at + 3
        holes = tuple((words[first + 2 * number], words[first + 2 * number + 1]) for number in range(words[self._at + 2]))
        return Tracked(name=name, synced_bytes=self.synced_bytes, holes=holes)
