"""Reports what a replica writes to its disk as events of the history: see `harness.model.consensus_events`."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from copy import copy
from typing import Final

import msgspec

from harness.model.consensus_events import (
    Appended,
    Applied,
    Committed,
    ConsensusEvent,
    Installed,
    Leader,
    Obeys,
    Refused,
    Truncated,
)
from systems.strong.log import NOTHING
from systems.strong.messages import Entry, Position, Result
from systems.strong.replica import Replica, Restore, Take
from systems.strong.storage import Storage

Tell = Callable[[str, ConsensusEvent], None]

GROUP: Final = "replicas"
"""The keepers are a group of their own."""


class Teller:
    """Writes to a storage, and reports what has happened as soon as it is durable."""

    def __init__(self, storage: Storage, tell: Tell) -> None:
        self._storage = storage
        self._tell = tell
        self._obeyed: int | None = None
        log = storage.replica.log
        # An earlier life may have died before it reported what it had written, so all of it is reported again.
        if log.base:
            self._installed(log.position(log.base))
        else:
            tell("truncated", Truncated(group=GROUP, index=1))
        self._appended(log.base, log.after(log.base))

    def silent(self) -> Teller:
        """One that reports nothing, for what is only imagined."""
        other = copy(self)
        other._tell = lambda kind, event: None
        return other

    def leads(self, epoch: int) -> None:
        self.obeys(epoch)
        self._tell("leader", Leader(group=GROUP, term=epoch))

    def obeys(self, epoch: int) -> None:
        """Report that it obeys the primary of this epoch."""
        if epoch != self._obeyed:
            self._obeyed = epoch
            self._tell("obeys", Obeys(group=GROUP, term=epoch))

    def refuses(self, epoch: int, obeyed: int) -> None:
        self._tell("refused", Refused(group=GROUP, term=epoch, obeyed=obeyed))

    def take(self, replica: Replica, written: Take, needed_after: Callable[[], int | None] = lambda: None) -> None:
        """Store entries, and put them into the replica's log; see `Storage.take`. Raises `OSError`."""
        if not written.entries:
            return
        last = replica.log.last.index
        self._storage.take(replica, written, needed_after)
        replica.took(written)
        if written.after < last:
            self._tell("truncated", Truncated(group=GROUP, index=written.after + 1))
        self._appended(written.after, written.entries)

    def restore(self, replica: Replica, written: Restore) -> None:
        """Store a snapshot and entries, in place of everything that the replica has. Raises `OSError`."""
        self._storage.restore(written)
        replica.restored(written)
        snapshot = written.snapshot
        self._installed(snapshot.ends[-1] if snapshot.ends else NOTHING)
        self._appended(snapshot.index, written.entries)

    def committed(self, replica: Replica, before: int, executed: Sequence[tuple[int, Result]]) -> None:
        """Report that everything up to `replica.committed` is acknowledged; up to `before` it was already."""
        log, term = replica.log, replica.epoch
        for index in range(before + 1, replica.committed + 1):
            self._tell("committed", Committed(group=GROUP, index=index, entry_term=log.position(index).epoch, term=term))
        for index, _ in executed:
            self._tell("applied", Applied(group=GROUP, index=index, entry=_digest(log.entry(index))))

    def _installed(self, end: Position) -> None:
        self._tell("installed", Installed(group=GROUP, index=end.index, entry_term=end.epoch))

    def _appended(self, after: int, entries: Sequence[Entry]) -> None:
        for index, entry in enumerate(entries, start=after + 1):
            self._tell("appended", Appended(group=GROUP, index=index, entry_term=entry.epoch, entry=_digest(entry)))


def _digest(entry: Entry) -> str:
    return f"{zlib.crc32(msgspec.json.encode(entry)):08x}"
