"""A simulated host's files, in memory: each operation takes time, and may be the last one of its host.

What a process wrote survives it, like the kernel's page cache. What a power loss leaves is decided by the fault `PowerLoss`, as
in a real run, or by `lose_power` here, which knows more than a fault can know from outside (names, single bytes).
"""

from __future__ import annotations

import copy
import errno
import os
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from random import Random
from typing import Final

from harness.model.steering import PARTIAL
from harness.simulation.loop import HostDied
from harness.simulation.rewriting import Rewriting

_OPERATION_S: Final = 0.00001
"""The duration of an operation that does not wait for the disk."""

Holes = Mapping[str, Sequence[tuple[int, int]]]
"""By file, the ranges whose syncs failed."""


class MemoryFile:
    """One file: its content, and the part of it that is on the disk. See `harness.model.environment.StoredFile`."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.synced_bytes = 0
        self.synced: bytes | None = b""
        """The content on the disk, unless that is the first `synced_bytes` of the current content."""
        self.damaged = False
        """Whether something other than the host has written to it."""

    def size(self) -> int:
        return len(self.data)

    def read_at(self, offset: int, length: int) -> bytes:
        return bytes(self.data[offset : offset + length])

    def write_at(self, offset: int, data: bytes) -> None:
        """Write like damage on the disk itself."""
        self.damaged = True
        self.data[offset : offset + len(data)] = data

    def append(self, data: bytes) -> None:
        try:
            self.data += data
        except BufferError:  # it is mapped: what is mapped keeps its length
            self.data = self.data + data

    def truncate(self, length: int) -> None:
        if length < self.synced_bytes and self.synced is None:
            self.synced = bytes(self.data[: self.synced_bytes])
        del self.data[length:]

    def sync(self) -> None:
        self.synced, self.synced_bytes = None, len(self.data)

    def on_disk(self) -> bytes:
        return bytes(self.data[: self.synced_bytes]) if self.synced is None else self.synced


class MemoryDisk:
    """Every folder of one host, by the folder's name; see `FileOperations`."""

    def __init__(self, random: Random) -> None:
        self.sync_s: tuple[float, float] = (0.0002, 0.001)
        """The duration of a sync: from, to."""
        self._random = random
        self._folders: dict[str, dict[str, MemoryFile]] = {}
        self._durable: dict[str, dict[str, MemoryFile]] = {}

    def folder(self, name: str) -> dict[str, MemoryFile]:
        return self._folders.setdefault(name, {})

    def files(self, folder: str, pattern: str) -> Mapping[str, MemoryFile]:
        """The files whose names match, sorted, without half-written ones."""
        found = self.folder(folder)
        return {name: found[name] for name in sorted(found) if fnmatchcase(name, pattern) and not name.endswith(PARTIAL)}

    def kept(self) -> Callable[[], None]:
        """Keep a copy of everything. Returns a function that puts it back."""
        kept = copy.deepcopy((self._folders, self._durable))

        def put_back() -> None:
            self._folders, self._durable = kept

        return put_back

    def sync_folder(self, name: str) -> None:
        self._durable[name] = dict(self.folder(name))

    def sync_seconds(self) -> float:
        return self._random.uniform(*self.sync_s)

    def part_of(self, data: bytes) -> bytes:
        """The part of a write that remains if its process dies in the middle."""
        return data[: self._random.randint(0, len(data))]

    def lengths(self) -> list[tuple[str, int]]:
        """Every file's name and length."""
        return [(name, len(file.data)) for files in self._folders.values() for name, file in files.items()]

    def lose_power(self, holes: Holes) -> str:
        """Lose what was not synced: all of it, none, or a part; names likewise. Returns what was lost, as text.

        `holes` become zeros, even if a later sync succeeded.
        """
        told = []
        for folder, files in self._folders.items():
            left, lost = self._left(folder, holes, self._random)
            told += lost
            told += [f"the name {name}" for name in sorted(files.keys() - left.keys())]
            self._folders[folder] = left
            self._durable[folder] = dict(left)
        return ", ".join(told) or "nothing"

    def after_crash(self, folder: str, holes: Holes, random: Random) -> dict[str, bytes] | None:
        """A folder's files as a crash may leave them now, of the process or with its machine; None if one is damaged."""
        files = self.folder(folder)
        if any(file.damaged for file in files.values()):
            return None
        if random.random() < 0.5:
            files, _ = self._left(folder, holes, random)
        return {name: bytes(file.data) for name, file in files.items()}

    def _left(self, folder: str, holes: Holes, random: Random) -> tuple[dict[str, MemoryFile], list[str]]:
        """The files that a power loss leaves of a folder, and which bytes it takes, as text."""
        files, durable = self._folders[folder], self._durable.get(folder, {})
        names = durable if durable != files and random.random() < 0.5 else files  # also if a name now has another file
        left, told = dict[str, MemoryFile](), list[str]()
        for name in sorted(names):
            file, base = names[name], names[name].on_disk()
            written = bytes(file.data)
            tail = written[len(base) :] if written.startswith(base) else b""
            keep = random.choice((0, 0, len(tail), random.randint(0, len(tail))))
            new = left[name] = MemoryFile()
            new.data, new.damaged = bytearray(base + tail[:keep]), file.damaged
            for begin, end in holes.get(name, ()):
                new.data[begin:end] = bytes(max(0, min(end, len(new.data)) - begin))
            new.sync()
            if len(new.data) < len(written):
                told.append(f"{len(written) - len(new.data)} bytes of {name}")
        return left, told


class HostFiles:
    """The files of one folder in one life of a host; see `harness.node.files.FileOperations`."""

    def __init__(
        self, disk: MemoryDisk, folder: str, begin: Callable[[str, float], None], rewriting: Rewriting | None = None
    ) -> None:
        """Calls `begin` with each operation and its duration; it may raise `HostDied`. `rewriting` is told what is written."""
        self._disk = disk
        self._folder = folder
        self._begin = begin
        self._rewriting = rewriting

    def names(self) -> list[str]:
        return list(self._disk.folder(self._folder))

    def read(self, name: str) -> bytes | None:
        self._begin(f"read {name}", _OPERATION_S)
        file = self._disk.folder(self._folder).get(name)
        return None if file is None else bytes(file.data)

    def map(self, name: str) -> memoryview:
        file = self._disk.folder(self._folder).get(name)
        if file is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        # It pins the content's size: a file that is being served is replaced, never truncated.
        return memoryview(file.data).toreadonly()

    def size(self, name: str) -> int | None:
        file = self._disk.folder(self._folder).get(name)
        return None if file is None else len(file.data)

    def append(self, name: str, data: bytes) -> None:
        file = self._file(name)
        try:
            self._begin(f"append {name}", _OPERATION_S)
        except HostDied:
            file.append(self._disk.part_of(data))
            raise
        file.append(data)
        if self._rewriting is not None and not name.endswith(PARTIAL):
            self._rewriting.appended(name, len(data))

    def truncate(self, name: str, length: int) -> None:
        self._begin(f"truncate {name}", _OPERATION_S)
        self._file(name).truncate(length)

    def sync(self, name: str) -> None:
        self._begin(f"sync {name}", self._disk.sync_seconds())
        self._disk.folder(self._folder)[name].sync()

    def rename(self, name: str, new: str) -> None:
        self._begin(f"rename {new}", _OPERATION_S)
        files = self._disk.folder(self._folder)
        files[new] = files.pop(name)
        if self._rewriting is not None:
            self._rewriting.replaced(new, files[new].size())

    def sync_folder(self) -> None:
        self._begin("sync the folder", self._disk.sync_seconds())
        self._disk.sync_folder(self._folder)

    def _file(self, name: str) -> MemoryFile:
        return self._disk.folder(self._folder).setdefault(name, MemoryFile())
