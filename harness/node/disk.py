"""The storage of a node. Everything that a node keeps goes through here, so that the harness can make the disk fail."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from harness.model.steering import PARTIAL
from harness.node.files import FileOperations, Files


class Disk:
    """Files in one folder, by plain name. Data survives a power loss once `sync` or `replace` has returned.

    Calls block the node's loop, so a node collects its writes and syncs once for many (group commit). All methods raise
    `OSError` on failure. After a failed `append` nothing has changed. After a failed `sync` it is unknown what is durable, and
    a later `sync` does not tell. After a failed `replace` the file is the old one or the new one.
    """

    def __init__(self, at: Path | FileOperations) -> None:
        """Use a folder, which is created if missing, or other file operations."""
        self._files: FileOperations = Files(at) if isinstance(at, Path) else at
        self._lengths: dict[str, int] = {}
        self._torn: set[str] = set()
        """Files to which a part of a failed append may have been written. It must be cut off before anything is appended."""
        self._unnamed: set[str] = set()
        """Files whose names may not be durable yet: the folder is synced before anything is appended to them."""
        self._named = False
        """Whether the names found at the start are durable: an earlier process may have ended before it synced them."""

    def names(self) -> list[str]:
        """All files, sorted."""
        return sorted(name for name in self._files.names() if not name.endswith(PARTIAL))

    def read(self, name: str) -> bytes | None:
        """A whole file, or None if there is none. What an earlier process wrote may not be durable before `sync`."""
        return self._files.read(_checked(name))

    def map(self, name: str) -> memoryview:
        """A whole file as read-only memory that is shared with it, so it shows later changes of the file.

        If the file is replaced, the memory keeps the old content. If the file is truncated, reading past its end kills the
        process. Raises `FileNotFoundError` if there is no such file.
        """
        return self._files.map(_checked(name))

    def append(self, name: str, data: bytes) -> None:
        """Write at a file's end, creating it if it is missing. Not durable until `sync`."""
        if name not in self._lengths:
            self._open(_checked(name))
        if name in self._torn:
            self._cut(name)
        try:
            self._files.append(name, data)
        except OSError:
            self._torn.add(name)
            self._cut(name)
            raise
        self._lengths[name] += len(data)

    def sync(self, name: str) -> None:
        """Return when the whole file is durable, including what was there before this node's start, and its name."""
        if name in self._lengths or self._files.size(_checked(name)) is not None:
            self._keep_name(name)
            self._files.sync(name)

    def replace(self, name: str, data: bytes, *, check: Callable[[], None] = lambda: None) -> None:
        """Replace a whole file atomically. The new one is durable when this returns.

        `check` is called at the last moment, when the new content is on the disk beside the old file: if it raises, the old
        file stays.
        """
        partial = _checked(name) + PARTIAL
        self._files.truncate(partial, 0)
        self._files.append(partial, data)
        self._files.sync(partial)
        check()
        self._lengths.pop(name, None)
        self._torn.discard(name)
        self._unnamed.add(name)
        self._files.rename(partial, name)
        self._sync_folder()

    def _cut(self, name: str) -> None:
        self._files.truncate(name, self._lengths[name])
        self._torn.discard(name)

    def _open(self, name: str) -> None:
        length = self._files.size(name)
        if length is None:
            self._unnamed.add(name)
            self._files.truncate(name, 0)
            length = 0
        self._keep_name(name)
        self._lengths[name] = length

    def _keep_name(self, name: str) -> None:
        """Make sure that a file's name is durable."""
        if name in self._unnamed or not self._named:
            self._sync_folder()

    def _sync_folder(self) -> None:
        self._files.sync_folder()
        self._unnamed.clear()
        self._named = True


def _checked(name: str) -> str:
    if not name or name != os.path.basename(name) or name.startswith(".") or name.endswith(PARTIAL):  # noqa: PTH119
        raise ValueError(f"a file of a node's disk needs a plain name that does not end in {PARTIAL}, not {name!r}")
    return name
