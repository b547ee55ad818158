"""What a node keeps on its disk: its identity, its vows, its log, and a snapshot of the state before the log.

Everything except the identity is one record log, so that one sync makes a whole `Output` durable, and one rename replaces
entries by a snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from harness.node.disk import Disk
from systems.parts.owner import Owner
from systems.parts.record_log import Damaged, RecordLog, decode_line, encode_line
from systems.raft.core.core import Core, Output, Saved
from systems.raft.core.messages import Entry, Members, Snapshot, Vows
from systems.raft.remembered import forgotten
from systems.raft.rules import CORRECT, Rules

LOG: Final = "raft.log"
MARK: Final = "acknowledged"
IDENTITY: Final = "identity"


class _Whole(msgspec.Struct, frozen=True):
    """The log's first record: everything, as of when the log was rewritten."""

    identity: Owner
    vows: Vows
    snapshot: Snapshot | None
    base_index: int
    base_term: int
    members: Members
    entries: list[Entry]


class _Change(msgspec.Struct, frozen=True, array_like=True):
    """Each later record: entries, which replace everything from the first one's index on, and the vows if they changed."""

    entries: list[Entry]
    vows: Vows | None


class Storage:
    """A node's storage. `compact_at_bytes` is the size at which the log is due for a snapshot."""

    def __init__(
        self, disk: Disk, *, cluster: str, node: str, compact_at_bytes: int = 1 << 20, rules: Rules = CORRECT
    ) -> None:  # fmt: skip
        self._disk = disk
        self._identity = Owner(cluster, node)
        self._rules = rules
        self._file = RecordLog(disk, name=LOG, mark=MARK, sync=None if rules.synced_before_answer else lambda name: None)
        self._least_bytes = self._compact_at_bytes = compact_at_bytes
        self.torn_bytes = 0
        """The size of the torn tail that was found at the end of the log; none of it was acknowledged."""
        self._vows: list[Vows] = []
        """The vows on the disk, and any that may be there since the last write failed. Empty before the first write."""
        self._saved_index = 0

    def load(self) -> Saved:
        """Load what is on the disk; nothing for a new node. Call `write_anew` before saving anything.

        Raises `Damaged` if a part of it is lost or unreadable, and `OtherNode`.
        """
        identity = self._disk.read(IDENTITY)
        known = None if identity is None else decode_line(identity)
        if known is not None:
            self._identity.check(msgspec.json.decode(known, type=Owner))
        try:
            log = self._file.load(existed=identity is not None)
        except Damaged:
            if self._rules.damage_is_amnesia:
                raise
            return self._read(self._file.readable())
        self.torn_bytes = log.torn_bytes
        return self._read(log.records)

    def write_anew(self, core: Core) -> None:
        """Replace what is on the disk by everything that the core has. Raises `OSError`."""
        log, vows = core.state.log, core.state.vows
        if vows not in self._vows:
            self._vows.append(vows)
        whole = _Whole(
            identity=self._identity,
            vows=self._kept(vows),
            snapshot=core.state.snapshot,
            base_index=log.base_index,
            base_term=log.base_term,
            members=log.members_at(log.base_index),
            entries=log.slice(log.base_index + 1, log.last_index),
        )
        self._file.replace(msgspec.json.encode(whole))
        identity = encode_line(msgspec.json.encode(self._identity))
        if self._disk.read(IDENTITY) != identity:
            self._disk.replace(IDENTITY, identity)
        self._vows, self._saved_index = [vows], log.last_index
        self._compact_at_bytes = max(self._least_bytes, 2 * self._file.size_bytes)

    def save(self, output: Output, core: Core) -> None:
        """Save an output of the core. After an `OSError`, only `write_anew` makes sure of what is on the disk."""
        if output.installed is not None:
            self.write_anew(core)
        elif output.entries or output.vows is not None:
            vows = output.vows or self._vows[0]
            self._vows.append(vows)
            kept = None if output.vows is None else self._kept(output.vows)
            self._file.append(msgspec.json.encode(_Change(list(output.entries), kept)))
            self._vows, self._saved_index = [vows], core.state.log.last_index

    def forgotten(self, disk: Disk, core: Core | None) -> str | None:
        """What the node would have forgotten if it started on this disk; None if nothing. Without a core it knows nothing."""
        if core is None or not self._vows:
            return None
        started = Storage(disk, cluster=self._identity.cluster, node=self._identity.node, rules=self._rules)
        try:
            found = started.load()
        except Damaged as damage:
            return f"the log would count as damaged: {damage}"
        return forgotten(core.state, self._saved_index, self._vows, found)

    @property
    def long(self) -> bool:
        """Whether it is time to compact the log into a snapshot."""
        return self._file.size_bytes > self._compact_at_bytes

    def _kept(self, vows: Vows) -> Vows:
        rules = self._rules
        return Vows(vows.term if rules.term_kept else 0, vows.vote if rules.vote_kept else None, vows.votes_from)

    def _read(self, records: Iterable[bytes]) -> Saved:
        whole: _Whole | None = None
        entries: list[Entry] = []
        vows = Vows()
        for record in records:
            if record[:1] == b"{":
                whole = msgspec.json.decode(record, type=_Whole)
                self._identity.check(whole.identity)
                entries, vows = whole.entries, whole.vows
                continue
            change = msgspec.json.decode(record, type=_Change)
            while entries and change.entries and entries[-1].index >= change.entries[0].index:
                entries.pop()
            entries += change.entries
            vows = change.vows or vows
        if whole is None:
            return Saved(vows=vows, entries=_following(0, entries))
        return Saved(
            vows=vows,
            snapshot=whole.snapshot,
            base_index=whole.base_index,
            base_term=whole.base_term,
            base_members=whole.members,
            entries=_following(whole.base_index, entries),
        )


def _following(base_index: int, entries: list[Entry]) -> list[Entry]:
    """The entries that follow the base without a gap: in a damaged log that is read anyway, some may be missing."""
    return [entry for place, entry in enumerate(entries) if entry.index == base_index + 1 + place]
