"""The file operations under a node's disk: the real ones, and a wrapper that a control page steers."""

from __future__ import annotations

import errno
import mmap
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, Protocol

from harness.model.moment import Event
from harness.model.steering import PARTIAL, Counter, Setting
from harness.node.control import ALL, ControlPage, TrackedFile


class FileOperations(Protocol):
    """Operations on the files of one folder, by name. Each may raise `OSError`, and a crash may come between any two."""

    def names(self) -> list[str]:
        """Every file, in no particular order."""

    def read(self, name: str) -> bytes | None:
        """A whole file, or None if there is none."""

    def map(self, name: str) -> memoryview:
        """A whole file as shared memory; see `Disk.map`."""

    def size(self, name: str) -> int | None:
        """A file's length, or None if there is none."""

    def append(self, name: str, data: bytes) -> None:
        """Write at the end of a file, creating it if it is missing. An error or a crash may leave a part written."""

    def truncate(self, name: str, length: int) -> None:
        """Truncate a file to a length, or create an empty one if it is missing."""

    def sync(self, name: str) -> None:
        """Return when the file's content is durable."""

    def rename(self, name: str, new: str) -> None:
        """Rename a file, replacing any file that has the new name."""

    def sync_folder(self) -> None:
        """Return when the files' names are durable."""


class Files:
    """The files of a real folder, which is created if it is missing."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: dict[str, int] = {}
        root.mkdir(parents=True, exist_ok=True)

    def names(self) -> list[str]:
        return [path.name for path in self._root.iterdir()]

    def read(self, name: str) -> bytes | None:
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            return None

    def map(self, name: str) -> memoryview:
        with (self._root / name).open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                return memoryview(b"")  # an empty file cannot be mapped
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    def size(self, name: str) -> int | None:
        try:
            return (self._root / name).stat().st_size
        except FileNotFoundError:
            return None

    def append(self, name: str, data: bytes) -> None:
        descriptor, view = self._descriptor(name), memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]

    def truncate(self, name: str, length: int) -> None:
        os.ftruncate(self._descriptor(name), length)

    def sync(self, name: str) -> None:
        os.fdatasync(self._descriptor(name))

    def rename(self, name: str, new: str) -> None:
        self._close(name)
        self._close(new)
        (self._root / name).replace(self._root / new)

    def sync_folder(self) -> None:
        descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _descriptor(self, name: str) -> int:
        descriptor = self._open.get(name)
        if descriptor is None:
            descriptor = os.open(self._root / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._open[name] = descriptor
        return descriptor

    def _close(self, name: str) -> None:
        descriptor = self._open.pop(name, None)
        if descriptor is not None:
            os.close(descriptor)


class SteeredFiles:
    """File operations that fail as the control page says, and record there which part of each file is durable."""

    def __init__(self, files: FileOperations, page: ControlPage, sleep: Callable[[float], None] = time.sleep) -> None:
        """`sleep` blocks for a number of seconds."""
        self._files = files
        self._page = page
        self._sleep = sleep
        self._tracked: dict[str, TrackedFile | None] = {}
        self._lengths: dict[str, int] = {}

    def names(self) -> list[str]:
        return self._files.names()

    def read(self, name: str) -> bytes | None:
        self._wait()
        return self._files.read(name)

    def map(self, name: str) -> memoryview:
        self._wait()
        return self._files.map(name)

    def size(self, name: str) -> int | None:
        return self._files.size(name)

    def append(self, name: str, data: bytes) -> None:
        self._track(name)
        if self._page[Setting.NO_SPACE] or (self._page[Setting.SCARCE_SPACE] and name.endswith(PARTIAL)):
            self._page.count(Counter.REFUSED_WRITES)
            _fail(errno.ENOSPC, name)
        self._files.append(name, data)
        self._lengths[name] += len(data)

    def truncate(self, name: str, length: int) -> None:
        tracked = self._track(name)
        self._files.truncate(name, length)
        self._lengths[name] = length
        if tracked is not None:
            tracked.cut(length)

    def sync(self, name: str) -> None:
        self._wait()
        tracked = self._track(name)
        if self._page[Setting.SYNC_FAILS] and (tracked is None or tracked.synced_bytes < self._lengths[name]):
            self._page.count(Counter.FAILED_SYNCS)
            if tracked is not None:
                tracked.sync_failed(self._lengths[name])
            _fail(errno.EIO, name)
        self._page.moments.passes(Event.SYNCING, name)
        self._files.sync(name)
        if tracked is not None:
            tracked.synced_bytes = self._lengths[name]
        self._page.moments.passes(Event.SYNCED, name)

    def rename(self, name: str, new: str) -> None:
        self._page.moments.passes(Event.RENAMING, new)
        tracked = self._track(new)
        if tracked is not None:
            # Before the rename: if a crash comes in between, the old file simply counts as durable.
            tracked.replaced()
        self._files.rename(name, new)
        for gone in (name, new):
            self._tracked.pop(gone, None)
            self._lengths.pop(gone, None)

    def sync_folder(self) -> None:
        self._wait()
        if self._page[Setting.SYNC_FAILS]:
            self._page.count(Counter.FAILED_SYNCS)
            _fail(errno.EIO, "the folder")
        self._files.sync_folder()

    def _track(self, name: str) -> TrackedFile | None:
        if name not in self._lengths:
            length = self._files.size(name) or 0
            self._lengths[name] = length
            tracked = self._tracked[name] = self._page.track(name, length)
            if tracked is not None and tracked.synced_bytes == ALL:
                tracked.synced_bytes = length
        return self._tracked[name]

    def _wait(self) -> None:
        delay_ns = self._page[Setting.DELAY_NS]
        if delay_ns:
            self._page.count(Counter.DELAYED)
            self._page.count(Counter.DELAYED_NS, delay_ns)
            self._sleep(delay_ns / 1e9)


def _fail(number: int, name: str) -> NoReturn:
    raise OSError(number, os.strerror(number), name)
