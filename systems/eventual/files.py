"""A replica's two logs on its disk.

`entries` has every key's state. `outbox` has once more what this node's clients wrote, until other replicas have it: it tells
after a restart what these are still to be told, and it is a second copy, in another file, of what no other replica may have. It
holds the newest state of each of its keys, also if that has come from another replica. So each log stands in for the other one
if it is damaged:

- Without `outbox`, all keys are to be told to all peers once more.
- Without `entries`, the outbox is what is held, and all else is to be learned from the peers. What can still be read of the
  damaged log is not trusted: an old value in it may have been deleted since, and its tombstone forgotten everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from harness.node.disk import Disk
from systems.eventual.messages import State
from systems.eventual.records import decode_changes, encode_changes
from systems.parts.record_log import Damaged, NothingWritten, RecordLog

ENTRIES: Final = "entries.log"
OUTBOX: Final = "outbox.log"

States = dict[str, State]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the files told."""

    held: States
    waiting: Sequence[str]
    """Keys that other replicas are yet to be told of."""
    damaged: bool
    """Whether more was held than that."""


class Files:
    """Reads the logs once, and writes them. See the module."""

    def __init__(self, disk: Disk, log: Callable[[str], None], *, compact_at_bytes: int) -> None:
        self._disk = disk
        self._log = log
        self._entries = RecordLog(disk, name=ENTRIES, mark="entries.mark", sync=self.sync)
        self._outbox = RecordLog(disk, name=OUTBOX, mark="outbox.mark", sync=self.sync)
        self._least_bytes = self._entries_bytes = self._outbox_bytes = compact_at_bytes
        self._copied: set[str] = set()
        """Keys of which something is in the outbox's file."""
        self._trusted = False

    def sync(self, name: str) -> None:
        self._disk.sync(name)

    def load(self, *, existed: bool) -> Found:
        """What is held; `existed` says that there must be something. `write_anew` before anything is written."""
        entries, outbox = self._read(self._entries, existed), self._read(self._outbox, existed)
        copies = decode_changes(self._outbox.readable()) if outbox is None else outbox
        if entries is None:
            held = _there(copies)
            return Found(held=held, waiting=list(held), damaged=True)
        held = _there(entries)
        waiting = list(held) if outbox is None else [key for key in _there(copies) if key in held]
        return Found(held=held, waiting=waiting, damaged=False)

    def write_anew(self, held: Mapping[str, State], waiting: Collection[str]) -> None:
        """Replace both logs. Raises `OSError`; then `write` does it."""
        self._trusted = False
        copies = {key: state for key, state in held.items() if key in waiting}
        self._outbox.replace(encode_changes(copies))
        self._entries.replace(encode_changes(held))
        self._outbox_bytes = max(self._least_bytes, 2 * self._outbox.size_bytes)
        self._entries_bytes = max(self._least_bytes, 2 * self._entries.size_bytes)
        self._copied, self._trusted = set(copies), True

    def write(
        self,
        changes: Mapping[str, State | None],
        own: Collection[str],
        held: Callable[[], States],
        waiting: Callable[[], Collection[str]],
    ) -> None:
        """These changes last when this returns; `own` are the keys that clients of this node wrote. Blocks for two syncs.

        `held` and `waiting`: all else that is on the disk, and what of it is in the outbox, if the logs are to be written anew.
        Raises `NothingWritten` if the files are as they were, another `OSError` if it is not known what they are.
        """
        if not self._trusted or self._entries.size_bytes > self._entries_bytes or self._outbox.size_bytes > self._outbox_bytes:
            self.write_anew(_there({**held(), **changes}), {*waiting(), *own})
            return
        copies = {key: state for key, state in changes.items() if key in own or key in self._copied}
        written = False
        try:
            if copies:
                self._outbox.append(encode_changes(copies))
                self._copied |= copies.keys()
                written = True
            self._entries.append(encode_changes(changes))
        except NothingWritten as error:
            self._trusted = not written
            if written:
                raise OSError(str(error)) from error
            raise
        except OSError:
            self._trusted = False  # a later sync that succeeds would not tell what this one left: replacing it all does
            raise

    def _read(self, log: RecordLog, existed: bool) -> dict[str, State | None] | None:
        try:
            found = log.load(existed=existed)
        except Damaged as damage:
            self._log(f"{damage}")
            return None
        if found.torn_bytes:
            self._log(f"{found.torn_bytes} bytes at a log's end were torn by a crash and are cut off")
        return decode_changes(found.records)


def _there(changes: Mapping[str, State | None]) -> States:
    return {key: state for key, state in changes.items() if state is not None}
