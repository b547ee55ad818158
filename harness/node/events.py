"""What a node tells of its own work, on its way from its process to the history: a file with a line for each event."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec


class NodeEvent(msgspec.Struct, frozen=True, array_like=True):
    """One event: when it was by the monotonic clock, what happened, and its details as JSON."""

    at_ns: int
    kind: str
    detail: msgspec.Raw


class EventFile:
    """Where a node's process writes its events. Each is in the kernel's hands when `write` returns, so it outlives SIGKILL."""

    def __init__(self, path: Path) -> None:
        """The file is made when there is something to tell."""
        self._path = path
        self._descriptor: int | None = None

    def write(self, at_ns: int, kind: str, detail: object) -> None:
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        event = NodeEvent(at_ns, kind, msgspec.Raw(msgspec.json.encode(detail)))
        os.write(self._descriptor, msgspec.json.encode(event) + b"\n")


def read_events(path: Path) -> Iterator[NodeEvent]:
    """The events of all starts of a node, oldest first; none if it told of none. A line that has no end yet is left out."""
    if path.exists():
        *lines, _ = path.read_bytes().split(b"\n")
        decode = msgspec.json.Decoder(NodeEvent).decode
        yield from map(decode, lines)
