"""A replica's two logs on its disk.

`entries` has every key's state. `outbox` has a copy of what this node's clients wrote, until other replicas have it: after a
restart it shows what these still lack, and it is a second copy, in another file, of what perhaps no other replica has. It
holds the newest state of each of its keys, even if that came from another replica. So each log replaces the other one if that
is damaged:

- Without `outbox`, the node sends all keys to all peers once more.
- Without `entries`, the node holds what is in the outbox, and learns everything else from its peers. It does not trust what is
  still readable of the damaged log: an old value in it may have been deleted since, and its tombstone dropped everywhere.
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
    """What the files contain."""

    held: States
    waiting: Sequence[str]
    """Keys that other replicas still lack."""
    damaged: bool
    """Whether the node held more than that."""


class Files:
    """Reads the logs once, and writes them. See the module."""

    def __init__(self, disk: Disk, log: Callable[[str], None], *, compact_at_bytes: int) -> None:
        self._disk = disk
        self._log = log
        self._entries = RecordLog(disk, name=ENTRIES, mark="entries.mark", sync=self.sync)
        self._outbox = RecordLog(disk, name=OUTBOX, mark="outbox.mark", sync=self.sync)
        self._least_bytes = self._entries_bytes = self._outbox_bytes = compact_at_bytes
        self._copied: set[str] = set()
        """The keys in the outbox's file."""
        self._trusted = False

    def sync(self, name: str) -> None:
        self._disk.sync(name)

    def load(self, *, existed: bool) -> Found:
        """What the files hold; with `existed`, they must exist. Call `write_anew` before the first write."""
        entries, outbox = self._read(self._entries, existed), self._read(self._outbox, existed)
        copies = decode_changes(self._outbox.readable()) if outbox is None else outbox
        if entries is None:
            held = _there(copies)
            return Found(held=held, waiting=list(held), damaged=True)
        held = _there(entries)
        waiting = list(held) if outbox is None else [key for key in _there(copies) if key in held]
        return Found(held=held, waiting=waiting, damaged=False)

    def copies(self) -> States:
        """What the outbox holds, with which the node would begin if its entries were damaged; nothing if that is damaged."""
        outbox = self._read(self._outbox, existed=False)
        return {} if outbox is None else _there(outbox)

    def write_anew(self, held: Mapping[str, State], waiting: Collection[str]) -> None:
        """Replace both logs. Raises `OSError`; then the next `write` replaces them."""
        self._trusted = False
        self._replace_outbox(held, waiting)
        self._replace_entries(held)
        self._trusted = True

    def write(
        self,
        changes: Mapping[str, State | None],
        own: Collection[str],
        held: Callable[[], States],
        waiting: Callable[[], Collection[str]],
    ) -> None:
        """Make changes durable; `own` are the keys that clients of this node wrote. Blocks for two syncs.

        `held` and `waiting` give what else is on the disk, and its keys that are in the outbox, for rewriting the logs. Raises
        `NothingWritten` if the files did not change, another `OSError` if their contents are unknown.
        """
        if not self._trusted:
            self.write_anew(_there({**held(), **changes}), {*waiting(), *own})
            return
        copies = {key: state for key, state in changes.items() if key in own or key in self._copied}
        written = False
        try:
            # Only what is long: the outbox holds little, so it is long again far sooner than the entries.
            if self._outbox.size_bytes > self._outbox_bytes:
                self._replace_outbox(_there({**held(), **changes}), {*waiting(), *own})
                written = True
            elif copies:
                self._outbox.append(encode_changes(copies))
                self._copied |= copies.keys()
                written = True
            if self._entries.size_bytes > self._entries_bytes:
                self._replace_entries(_there({**held(), **changes}))
            else:
                self._entries.append(encode_changes(changes))
        except NothingWritten as error:
            self._trusted = not written
            if written:
                raise OSError(str(error)) from error
            raise
        except OSError:
            self._trusted = False  # a later successful sync would not prove what this one wrote: replacing both logs does
            raise

    def _replace_outbox(self, held: Mapping[str, State], waiting: Collection[str]) -> None:
        copies = {key: state for key, state in held.items() if key in waiting}
        self._outbox.replace(encode_changes(copies))
        self._outbox_bytes = max(self._least_bytes, 2 * self._outbox.size_bytes)
        self._copied = set(copies)

    def _replace_entries(self, held: Mapping[str, State]) -> None:
        self._entries.replace(encode_changes(held))
        self._entries_bytes = max(self._least_bytes, 2 * self._entries.size_bytes)

    def _read(self, log: RecordLog, existed: bool) -> dict[str, State | None] | None:
        try:
            found = log.load(existed=existed)
        except Damaged as damage:
            self._log(f"{damage}")
            return None
        if found.torn_bytes:
            self._log(f"cut off {found.torn_bytes} bytes at a log's end that a crash tore")
        return decode_changes(found.records)


def _there(changes: Mapping[str, State | None]) -> States:
    return {key: state for key, state in changes.items() if state is not None}
