"""Enumerate every crash that a disk operation can meet, and the disks that each crash may leave behind.

    for crash in crash_points(operation):
        assert all_is_well(crash.disk())

`operation` runs on an empty disk in memory and dies in its first file operation; then it runs again and dies in its second; and
so on until it runs to its end. Each death leaves several disks, because a file system promises little: data that was not synced
may be there, or missing, or cut short, file by file; new names may reach the disk before the content, or not at all.

After Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014. Two cases are left out: that only some of the names
changed since the last sync of the folder reach the disk, and that the end of a file reaches it but the middle does not.
"""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from harness.node.disk import Disk


class Crashed(SystemExit):
    """The node dies here. Like a process's exit, it passes through an event loop and every `except Exception`."""


@dataclass(frozen=True, kw_only=True)
class CrashPoint:
    """One death and one disk that it may leave: `files` by name."""

    number: int
    """How many file operations had begun."""
    at: str
    """The last file operation: "sync log"."""
    files: Mapping[str, bytes]

    def disk(self) -> Disk:
        """The disk that the node finds when it restarts; a new copy at each call."""
        return Disk(MemoryFiles(self.files))


def crash_points(operation: Callable[[Disk], object], before: Mapping[str, bytes] | None = None) -> Iterator[CrashPoint]:
    """Every crash of an operation that starts with the files `before`, and finally a crash right after its end.

    The operation is called once for each death and must do the same each time. A crash is yielded before the next call, so the
    operation can note elsewhere what it has acknowledged, and a test can compare that with what is left.
    """
    number = 0
    while True:
        number += 1
        files = MemoryFiles(before or {}, dies_at=number)
        try:
            operation(Disk(files))
            ended = True
        except Crashed:
            ended = False
        for left in files.survivors():
            yield CrashPoint(number=files.begun, at="the end" if ended else files.last, files=left)
        if ended:
            return


class _Content:
    """A file's content, whatever its name: as written, and as synced."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = data
        self.synced = data

    def survivors(self) -> list[bytes]:
        """What a crash may leave of the unsynced part: all of it, nothing, its first byte, half, or all but its last byte."""
        if not self.data.startswith(self.synced):  # it was truncated, which may not have reached the disk
            return [self.data, self.synced]
        begin, end = len(self.synced), len(self.data)
        cuts = (end, begin, min(begin + 1, end), (begin + end) // 2, max(end - 1, begin))
        return [self.data[:cut] for cut in dict.fromkeys(cuts)]


class MemoryFiles:
    """File operations on a folder in memory; the `dies_at`-th operation that changes or syncs something raises `Crashed`."""

    def __init__(self, files: Mapping[str, bytes] | None = None, *, dies_at: int | None = None) -> None:
        self.begun = 0
        self.last = "nothing"
        self._dies_at = dies_at
        self._names = {name: _Content(data) for name, data in (files or {}).items()}
        self._synced_names = dict(self._names)

    def names(self) -> list[str]:
        return list(self._names)

    def contents(self) -> dict[str, bytes]:
        """All files by name, as they are read now."""
        return {name: content.data for name, content in self._names.items()}

    def read(self, name: str) -> bytes | None:
        content = self._names.get(name)
        return None if content is None else content.data

    def map(self, name: str) -> memoryview:
        if name not in self._names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return memoryview(self._names[name].data)  # `data` is immutable, so the view never changes

    def size(self, name: str) -> int | None:
        content = self._names.get(name)
        return None if content is None else len(content.data)

    def append(self, name: str, data: bytes) -> None:
        dies = self._begin(f"append {name}")
        content = self._names.setdefault(name, _Content())
        content.data += data
        self._end(dies)

    def truncate(self, name: str, length: int) -> None:
        dies = self._begin(f"truncate {name}")
        content = self._names.setdefault(name, _Content())
        content.data = content.data[:length]
        self._end(dies)

    def sync(self, name: str) -> None:
        self._end(self._begin(f"sync {name}"))  # a crash during a sync promises nothing yet
        content = self._names[name]
        content.synced = content.data

    def rename(self, name: str, new: str) -> None:
        dies = self._begin(f"rename {name} to {new}")
        self._names[new] = self._names.pop(name)
        self._end(dies)

    def sync_folder(self) -> None:
        self._end(self._begin("sync the folder"))
        self._synced_names = dict(self._names)

    def survivors(self) -> list[dict[str, bytes]]:
        """The distinct disks that a crash at this moment may leave."""
        found: list[dict[str, bytes]] = []
        for names in (self._names, self._synced_names):
            for contents in itertools.product(*(content.survivors() for content in names.values())):
                left = dict(zip(names, contents, strict=True))
                if left not in found:
                    found.append(left)
        return found

    def _begin(self, what: str) -> bool:
        if self._dies_at is not None and self.begun >= self._dies_at:
            raise Crashed(f"dead since {self.last}")
        self.begun += 1
        self.last = what
        return self.begun == self._dies_at

    def _end(self, dies: bool) -> None:
        if dies:
            raise Crashed(f"in {self.last}")
