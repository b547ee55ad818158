"""Every crash that an operation on a disk can meet, one by one, and what each may leave behind.

    for crash in crash_points(operation):
        assert all_is_well(crash.disk())

`operation` is run on an empty disk in memory, dying in its first file operation; again, dying in its second; and so on until it
runs to its end. Each death leaves several disks, since a file system promises little: what was not synced may be there, or
not, or a beginning of it, file by file; new names may have reached the disk before the content, or not at all.

After Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014. Left out is that of several names changed since the
folder was last synced some reach the disk and others do not, and that the end of a file does and its middle does not.
"""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from harness.node.disk import Disk


class Crashed(SystemExit):
    """The node dies here. Like the end of a process, it passes an event loop and every `except Exception`."""


@dataclass(frozen=True, kw_only=True)
class CrashPoint:
    """One death and one thing it may leave: `files` by name."""

    number: int
    """How many file operations were begun."""
    at: str
    """The last of them: "sync log"."""
    files: Mapping[str, bytes]

    def disk(self) -> Disk:
        """What the node finds when it starts again. Every call gives a disk of its own."""
        return Disk(MemoryFiles(self.files))


def crash_points(operation: Callable[[Disk], object], before: Mapping[str, bytes] | None = None) -> Iterator[CrashPoint]:
    """Every crash of an operation that starts with the files `before`, and at last its end, crashed right after.

    The operation is called once for each death, and must do the same each time. A crash is yielded before the next call, so
    what the operation has noted elsewhere (what it has acknowledged) can be compared with what is left.
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
    """A file's content, whatever its name: as written, and as it is on the disk."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = data
        self.synced = data

    def survivors(self) -> list[bytes]:
        """What a crash may leave: all, nothing of what was not synced, and its first byte, its half, or all but its last."""
        if not self.data.startswith(self.synced):  # it was cut, which may not have reached the disk
            return [self.data, self.synced]
        begin, end = len(self.synced), len(self.data)
        cuts = (end, begin, min(begin + 1, end), (begin + end) // 2, max(end - 1, begin))
        return [self.data[:cut] for cut in dict.fromkeys(cuts)]


class MemoryFiles:
    """File operations on a folder in memory, which dies in the `dies_at`-th operation that changes or syncs something."""

    def __init__(self, files: Mapping[str, bytes] | None = None, *, dies_at: int | None = None) -> None:
        self.begun = 0
        self.last = "nothing"
        self._dies_at = dies_at
        self._names = {name: _Content(data) for name, data in (files or {}).items()}
        self._synced_names = dict(self._names)

    def names(self) -> list[str]:
        return list(self._names)

    def read(self, name: str) -> bytes | None:
        content = self._names.get(name)
        return None if content is None else content.data

    def map(self, name: str) -> memoryview:
        if name not in self._names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return memoryview(self._names[name].data)  # no other code changes it

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
        self._end(self._begin(f"sync {name}"))  # a crash in the middle of it: nothing is promised yet
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
        """What a crash at this moment may leave, each only once."""
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
