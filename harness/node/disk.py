"""The storage of a node: everything a node keeps goes through here, so that a disk can be made to fail from outside."""

from __future__ import annotations

import os
from pathlib import Path

from harness.model.steering import PARTIAL
from harness.node.files import FileOperations, Files


class Disk:
    """Files in one folder, by plain name. What `sync` or `replace` has returned for survives a power loss.

    Calls block the node's loop: a node gathers what it has to write and syncs once for many (group commit). All raise `OSError`
    if the disk does not do what was asked: an `append` has then changed nothing; after a `sync` it is not known what is
    on the disk, and a later `sync` does not tell; after a `replace` the file is the old one or the new one.
    """

    def __init__(self, at: Path | FileOperations) -> None:
        """In a folder, which is made if it is missing, or on file operations of another kind."""
        self._files: FileOperations = Files(at) if isinstance(at, Path) else at
        self._lengths: dict[str, int] = {}
        self._unnamed: set[str] = set()
        """Files whose names may not be on the disk yet: the folder is synced before anything is appended to them."""

    def names(self) -> list[str]:
        """The files there are, sorted."""
        return sorted(name for name in self._files.names() if not name.endswith(PARTIAL))

    def read(self, name: str) -> bytes | None:
        """A whole file, or None if there is none. What was not synced may be in it, and be gone after a power loss."""
        return self._files.read(_checked(name))

    def map(self, name: str) -> memoryview:
        """A whole file as memory that is shared with it and not to be written to: it shows what the file holds at any moment.

        Of a file that is replaced it keeps the old content; one that is cut short ends the process that reads on. Raises
        `FileNotFoundError` if there is none.
        """
        return self._files.map(_checked(name))

    def append(self, name: str, data: bytes) -> None:
        """Write at a file's end; it is created if it is missing. Not yet on the disk: see `sync`."""
        if name not in self._lengths:
            self._open(_checked(name))
        try:
            self._files.append(name, data)
        except OSError:
            self._files.truncate(name, self._lengths[name])  # a part may have been written: nothing may be appended to that
            raise
        self._lengths[name] += len(data)

    def sync(self, name: str) -> None:
        """Return when all of the file is on the disk, also what was there before this node's start."""
        if name in self._lengths or self._files.size(_checked(name)) is not None:
            self._files.sync(name)

    def replace(self, name: str, data: bytes) -> None:
        """Put a whole file in place of another, atomically; on the disk when this returns."""
        partial = _checked(name) + PARTIAL
        self._lengths.pop(name, None)
        self._files.truncate(partial, 0)
        self._files.append(partial, data)
        self._files.sync(partial)
        self._unnamed.add(name)
        self._files.rename(partial, name)
        self._sync_folder()

    def _open(self, name: str) -> None:
        length = self._files.size(name)
        if length is None:
            self._unnamed.add(name)
            self._files.truncate(name, 0)
            length = 0
        if name in self._unnamed:
            self._sync_folder()
        self._lengths[name] = length

    def _sync_folder(self) -> None:
        self._files.sync_folder()
        self._unnamed.clear()


def _checked(name: str) -> str:
    if not name or name != os.path.basename(name) or name.startswith(".") or name.endswith(PARTIAL):  # noqa: PTH119
        raise ValueError(f"a file of a node's disk has a plain name that does not end in {PARTIAL}; this is {name!r}")
    return name
