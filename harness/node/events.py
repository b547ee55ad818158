"""The file through which a node's events get from its process to the history: one line per event."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from harness.node.journal import FileJournal


class NodeEvent(msgspec.Struct, frozen=True, array_like=True):
    """One event: its time on the monotonic clock, what happened, and details as JSON."""

    at_ns: int
    kind: str
    detail: msgspec.Raw


class EventFile:
    """Writes a node's events. The kernel has the event when `write` returns, so it survives SIGKILL."""

    def __init__(self, path: Path) -> None:
        """The file is created with the first event."""
        self._path = path
        self._journal: FileJournal | None = None

    def write(self, at_ns: int, kind: str, detail: object) -> None:
        if self._journal is None:
            self._journal = FileJournal(self._path)
        event = NodeEvent(at_ns, kind, msgspec.Raw(msgspec.json.encode(detail)))
        self._journal.append(msgspec.json.encode(event) + b"\n")


def read_events(path: Path) -> Iterator[NodeEvent]:
    """The events of all starts of a node, oldest first. An incomplete last line is left out."""
    if path.exists():
        *lines, _ = path.read_bytes().split(b"\n")
        decode = msgspec.json.Decoder(NodeEvent).decode
        yield from map(decode, lines)
