"""What a replica knows, and how it answers primaries. No I/O here: what an answer promises must be on the disk first.

To answer a request, store `Replica.promise` durably if the request's epoch is later than `epoch`, then call `fence`, `fetch` or
`place`. If that returns what to write, write it, pass it to `took` or `restored`, and answer what that returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Final

from systems.strong.bugs import CORRECT, Rules
from systems.strong.log import Log
from systems.strong.machine import Machine
from systems.strong.messages import (
    Append,
    Beyond,
    Canvass,
    Diverged,
    Entry,
    Fence,
    Fenced,
    Fetch,
    Fetched,
    Install,
    Installing,
    Matched,
    NotReady,
    Piece,
    Position,
    Refused,
    ReplicaRequest,
    Result,
    Snapshot,
    Willing,
)
from systems.strong.pieces import Receiving, Sending

KEPT_ENTRIES: Final = 128
"""This many executed entries are kept when a log is compacted, for replicas that missed only those."""

_LOST: Final = "it does not yet know what it had lost"


@dataclass(frozen=True)
class Take:
    """Entries to put after an index of the log; those that are already there are left out."""

    after: int
    entries: list[Entry]
    answer: Matched


@dataclass(frozen=True)
class Restore:
    """A snapshot to put in place of the whole log."""

    snapshot: Snapshot
    entries: list[Entry]
    answer: Matched


class Replica:
    """A log, the state that its acknowledged part leads to, and which epoch is obeyed."""

    def __init__(
        self,
        *,
        snapshot: Snapshot | None = None,
        entries: list[Entry] | None = None,
        epoch: int = 0,
        ready: bool = True,
        rules: Rules = CORRECT,
    ) -> None:
        """The arguments are as they were stored. A replica that is not `ready` has lost something, and must not say what it
        acknowledged."""
        self._rules = rules
        self.epoch = epoch
        """No primary of an earlier one is obeyed."""
        self.ready = ready
        self.informed_by = 0
        """The version of the configuration that was in force after this replica had lost something, or 0."""
        self._receiving = Receiving(Snapshot)
        self.fetching = Receiving(Beyond)
        """What it has got so far of what another log has beyond its own, for when it becomes the primary."""
        self._offered: tuple[list[Position], Sending] | None = None
        """What this log has beyond one with these ends, which is the same for each piece until this log changes."""
        self.committed = 0
        """Up to this index, entries are known to be acknowledged."""
        self._restore(snapshot or Snapshot(), entries or [])

    def imagined(self) -> Replica:
        """A copy without the state, to be told what is acknowledged: nothing happens to this one."""
        other = copy(self)
        other.log = Log(self.log.ends(self.log.base), self.log.after(self.log.base))
        other.machine = Machine(Snapshot(index=self.machine.applied), self._rules)
        other._receiving, other.fetching = Receiving(Snapshot), Receiving(Beyond)
        return other

    def promise(self, epoch: int) -> None:
        """Obey no earlier epoch any more."""
        self.epoch = max(self.epoch, epoch)

    def could_follow(self, request: Canvass, *, fenced: bool) -> Willing | NotReady | Refused:
        """The answer. `fenced`: whether a new primary asks the replicas what they have before its epoch begins."""
        if request.configuration.epoch <= self.epoch:
            return Refused(self.epoch)
        return Willing() if self.ready or not fenced else NotReady(_LOST)

    def place(self, request: Append | Install) -> Take | Restore | Diverged | Installing | Refused:
        """What to write before the request is answered; the answer itself if there is nothing to write."""
        if self._is_earlier(request):
            return Refused(self.epoch)
        if isinstance(request, Install):
            return self._place_piece(request.piece)
        log, after, entries = self.log, request.previous.index, request.entries
        if not self._continues(request.previous):
            return Diverged(log.ends())
        matched = after + len(entries)
        while entries and self._is_there(Position(entries[0].epoch, after + 1)):
            after, entries = after + 1, entries[1:]
        return Take(after, entries, Matched(matched))

    def _place_piece(self, piece: Piece) -> Take | Restore | Installing:
        if self.log.has(piece.last):  # it is late: what has come after it since must not be lost
            return Take(piece.last.index, [], Matched(piece.last.index))
        snapshot = self._receiving.take(piece)
        return Installing(self._receiving.offset) if snapshot is None else Restore(snapshot, [], Matched(snapshot.index))

    def fence(self, request: Fence) -> Fenced | NotReady | Refused:
        """The answer: where this log ends, if nothing is missing from it."""
        if self._is_earlier(request):
            return Refused(self.epoch)
        return Fenced(self.log.last) if self.ready else NotReady(_LOST)

    def fetch(self, request: Fetch) -> Fetched | NotReady | Refused:
        """The answer: a piece of what this log has beyond the other one."""
        if self._is_earlier(request):
            return Refused(self.epoch)
        if not self.ready:
            return NotReady(_LOST)
        if self._offered is None or self._offered[0] != request.ends:
            self._offered = request.ends, Sending(self.beyond(request.ends))
        return Fetched(self._offered[1].piece(request.most, request.offset))

    def beyond(self, ends: Sequence[Position]) -> Beyond:
        """Everything that this log has beyond a less complete one, whose epochs end there."""
        log, common = self.log, self.log.common(ends)
        if common >= log.base:
            return Beyond(last=log.last, common=common, snapshot=None, entries=log.after(common))
        return Beyond(last=log.last, common=common, snapshot=self.snapshot(), entries=log.after(self.machine.applied))

    def took(self, written: Take) -> None:
        """This is on the disk."""
        if written.entries:
            self.log.put(written.after, written.entries)
            self._changed()

    def restored(self, written: Restore) -> None:
        """This is on the disk."""
        self._restore(written.snapshot, written.entries)
        self._receiving.forget()
        self._changed()

    def teaches(self, request: Append | Install, matched: int) -> bool:
        """Whether a replica that had lost something has learned all of it from this request, which it has carried out.

        `epoch` has to be one that the keepers had after the loss: this primary, or an earlier one whose entries it has, knows
        of whatever was acknowledged here before. Until one of its own epoch is acknowledged it may not know that it does.
        What it sent before the loss may be late, and tells less than was acknowledged since; but it renews its lease all the
        time, each time with a new version.
        """
        learns = not self.ready and request.configuration.version > self.informed_by
        return learns and request.established and matched >= request.committed

    def commit(self, index: int) -> list[tuple[int, Result]]:
        """Take note that all entries up to an index are acknowledged, and execute them. Returns their results by index."""
        self.committed = max(self.committed, min(index, self.log.last.index))
        return self.execute(self.committed)

    def execute(self, until: int) -> list[tuple[int, Result]]:
        """Execute the entries that were not executed yet."""
        machine = self.machine
        return [(index, machine.apply(self.log.entry(index))) for index in range(machine.applied + 1, until + 1)]

    def snapshot(self) -> Snapshot:
        """The state that the executed entries led to."""
        return self.machine.snapshot(self.log.ends(self.machine.applied))

    def forget(self, needed_after: int | None) -> None:
        """Drop executed entries that replicas will hardly ask for, and none after `needed_after`, if that is an index."""
        until = self.machine.applied - KEPT_ENTRIES
        self.log.forget(until if needed_after is None else min(until, needed_after))

    def _restore(self, snapshot: Snapshot, entries: list[Entry]) -> None:
        self.log = Log(snapshot.ends, entries)
        self.machine = Machine(snapshot, self._rules)
        self.committed = snapshot.index

    def _changed(self) -> None:
        """The log is another one now."""
        self._offered = None
        self.fetching.forget()

    def _is_earlier(self, request: ReplicaRequest) -> bool:
        return request.configuration.epoch < self.epoch and self._rules.earlier_epochs_refused

    def _continues(self, previous: Position) -> bool:
        return self.log.has(previous) if self._rules.tails_compared else previous.index <= self.log.last.index

    def _is_there(self, position: Position) -> bool:
        # A late request may contain less than the log, so entries must not be removed only because it does not have them.
        return self.log.has(position) if self._rules.tails_compared else position.index <= self.log.last.index
