"""The storage of a node: everything a node keeps goes through here, so that a disk can be made to fail from outside."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_PARTIAL: Final = ".partial"
"""Ends the name of a file that is being written and has not taken its place yet."""


class Disk:
    """Files in one folder, by plain name. What `sync` or `replace` has returned for survives the node's death.

    Calls block the node's loop: a node gathers what it has to write and syncs once for many (group commit).
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._appending: dict[str, int] = {}
        root.mkdir(parents=True, exist_ok=True)

    def names(self) -> list[str]:
        """The files there are, sorted."""
        return sorted(path.name for path in self._root.iterdir() if not path.name.endswith(_PARTIAL))

    def read(self, name: str) -> bytes | None:
        """A whole file, or None where there is none."""
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            return None

    def append(self, name: str, data: bytes) -> None:
        """Write at a file's end; it is created where it is missing. Not yet on the disk: see `sync`."""
        descriptor = self._appending.get(name)
        if descriptor is None:
            created = not self._path(name).exists()
            descriptor = os.open(self._path(name), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._appending[name] = descriptor
            if created:
                self._sync_folder()
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]

    def sync(self, name: str) -> None:
        """Return when all that was appended is on the disk."""
        if name in self._appending:
            os.fdatasync(self._appending[name])

    def replace(self, name: str, data: bytes) -> None:
        """Put a whole file in place of another, atomically; on the disk when this returns."""
        descriptor = self._appending.pop(name, None)
        if descriptor is not None:
            os.close(descriptor)
        partial = self._path(name).with_name(name + _PARTIAL)
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._path(name))
        self._sync_folder()

    def _path(self, name: str) -> Path:
        if not name or name != os.path.basename(name) or name.startswith(".") or name.endswith(_PARTIAL):  # noqa: PTH119
            raise ValueError(f"a file of a node's disk has a plain name that does not end in {_PARTIAL}; this is {name!r}")
        return self._root / name

    def _sync_folder(self) -> None:
        descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
