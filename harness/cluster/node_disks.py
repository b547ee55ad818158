"""The disks of a run's nodes, steered through each node's control page."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.cluster.steering import Steering
from harness.model.errors import FaultError
from harness.model.steering import PARTIAL, Counter, Setting, Tracked


class FileOnDisk:
    """See `harness.model.environment.StoredFile`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def size(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def read_at(self, offset: int, length: int) -> bytes:
        with self._errors(), self._path.open("rb", buffering=0) as file:
            return os.pread(file.fileno(), length, offset)

    def write_at(self, offset: int, data: bytes) -> None:
        with self._errors(), self._path.open("r+b", buffering=0) as file:
            os.pwrite(file.fileno(), data, offset)

    def truncate(self, length: int) -> None:
        with self._errors():
            os.truncate(self._path, length)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise FaultError(f"{self._path.name} cannot be damaged: {error.strerror}") from error


class NodeDisks:
    """See `harness.model.environment.Disks`."""

    def __init__(self, folder: Path, steering: Mapping[str, Steering]) -> None:
        self._folder = folder
        self._steering = steering

    def folder(self, name: str) -> Path:
        """The folder of a node's files."""
        return self._folder / name

    def files(self, name: str, pattern: str = "*") -> Mapping[str, FileOnDisk]:
        folder = self.folder(name)
        found = (path for path in sorted(folder.glob(pattern)) if path.is_file() and path.suffix != PARTIAL)
        return {path.relative_to(folder).as_posix(): FileOnDisk(path) for path in found}

    def hold(self, name: str, setting: Setting, label: str, value: int) -> None:
        self._steered(name).hold(setting, label, value)

    def release(self, name: str, setting: Setting, label: str) -> None:
        self._steered(name).release(setting, label)

    def count(self, name: str, counter: Counter) -> int:
        return self._steered(name).count(counter)

    def tracked(self, name: str) -> Sequence[Tracked]:
        return self._steered(name).tracked()

    def _steered(self, name: str) -> Steering:
        if name not in self._steering:
            raise FaultError(
                f"{name} is a foreign program, whose disk the harness does not control."
                " Aim at a node that has code=, or use Kill or Pause"
            )
        return self._steering[name]
