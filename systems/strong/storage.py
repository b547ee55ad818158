"""A replica on its disk: its log with a snapshot before it, and which epoch it has promised to obey."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from harness.node.disk import Disk
from systems.parts.owner import Owner
from systems.parts.record_log import Damaged, RecordLog, decode_line, encode_line
from systems.strong.bugs import CORRECT, Rules
from systems.strong.messages import Entry, Snapshot
from systems.strong.remembered import forgotten
from systems.strong.replica import Replica, Restore, Take

LOG: Final = "entries.log"
MARK: Final = "acknowledged"
PROMISE: Final = "promise"


class _Promise(msgspec.Struct, frozen=True, kw_only=True):
    cluster: str
    name: str
    epoch: int
    ready: bool


class _Checkpoint(msgspec.Struct, frozen=True, tag=True):
    """The first record of a log."""

    snapshot: Snapshot
    entries: list[Entry]


class _Batch(msgspec.Struct, frozen=True, tag=True):
    """Each further record: entries in place of all those after an index."""

    after: int
    entries: list[Entry]


_decode = msgspec.json.Decoder(_Checkpoint | _Batch).decode


class Storage:
    """Stores what a `Replica` writes. It is durable when the method has returned; if it raises `OSError`, it may be or not."""

    def __init__(
        self,
        disk: Disk,
        log: Callable[[str], None],
        *,
        cluster: str,
        name: str,
        compact_at_bytes: int,
        rules: Rules = CORRECT,
    ) -> None:
        """Read back what was stored. Raises `OtherNode`."""
        self._disk = disk
        self._log = log
        self._rules = rules
        self._file = RecordLog(disk, name=LOG, mark=MARK, sync=self._sync)
        self._promised = self._read_promise(cluster, name)
        self._compact_at_bytes = self._least_bytes = compact_at_bytes
        self._sure_until: int | None = None
        """Entries after this index are being written, or were not taken; None: what the replica holds is on the disk."""
        self.replica = self._load()
        if self._disk.read(PROMISE) is None:
            self._write_promise(self._promised)  # from now on the folder says whose it is

    def promise(self, epoch: int, *, ready: bool) -> None:
        """Store that no earlier epoch is obeyed, and whether everything that was acknowledged is known here."""
        kept = self._promised
        asked = msgspec.structs.replace(kept, epoch=max(epoch, kept.epoch) if self._rules.epochs_kept else 0, ready=ready)
        if asked != kept:
            self._write_promise(asked)

    def check(self) -> None:
        """Raises `OSError` if the disk cannot be written now."""
        self._write_promise(self._promised)

    def take(self, replica: Replica, written: Take, needed_after: Callable[[], int | None] = lambda: None) -> None:
        """Store entries, in place of all that the log had there; if it is rewritten, it forgets none that is needed, after the
        index asked for then. Raises `OSError`."""
        data = msgspec.json.encode(_Batch(written.after, written.entries))
        self._sure_until = min(written.after, written.after if self._sure_until is None else self._sure_until)
        if self._file.size_bytes + len(data) <= self._compact_at_bytes:
            try:
                self._file.append(data)
            except OSError:
                self._compact_at_bytes = 0  # it is unknown what the file contains now, so nothing may be added
                raise
            self._sure_until = None
            return
        self._write_anew(_Checkpoint(*rewritten(replica, written)))
        replica.forget(needed_after())

    def restore(self, written: Restore) -> None:
        """Store a snapshot and the entries after it, in place of everything. Raises `OSError`."""
        self._sure_until = 0
        self._write_anew(_Checkpoint(written.snapshot, written.entries))

    def _write_anew(self, checkpoint: _Checkpoint) -> None:
        if not self._rules.sessions_kept:
            checkpoint = _Checkpoint(msgspec.structs.replace(checkpoint.snapshot, sessions={}), checkpoint.entries)
        try:
            self._file.replace(msgspec.json.encode(checkpoint))
        except OSError:
            self._compact_at_bytes = 0
            raise
        self._compact_at_bytes = max(self._least_bytes, 2 * self._file.size_bytes)
        self._sure_until = None

    def forgotten(self, disk: Disk) -> str | None:
        """What the replica would have forgotten if it started on this disk; None if nothing."""
        cluster, name, compact_at_bytes = self._promised.cluster, self._promised.name, self._least_bytes
        started = Storage(
            disk, lambda text: None, cluster=cluster, name=name, compact_at_bytes=compact_at_bytes, rules=self._rules
        )
        if self._promised.ready and started.replica.ready and not self.replica.ready:
            return "it would count as complete, and has lost something"
        return forgotten(self.replica, started.replica, self._sure_until)

    def _read_promise(self, cluster: str, name: str) -> _Promise:
        data = self._disk.read(PROMISE)
        text = None if data is None else decode_line(data)
        if text is None:
            if data is not None:
                self._log("what was promised is damaged: nothing is said of this log until a primary has completed it")
            # An empty disk is either new, or has lost its content. There is no way to tell which.
            return _Promise(cluster=cluster, name=name, epoch=0, ready=False)
        promised = msgspec.json.decode(text, type=_Promise)
        Owner(cluster, name).check(Owner(promised.cluster, promised.name))
        return promised

    def _load(self) -> Replica:
        promised, snapshot, entries = self._promised, Snapshot(), []
        try:
            found = self._file.load(existed=promised.ready)
            records = found.records
            if found.torn_bytes:
                self._log(f"the log's last {found.torn_bytes} bytes were torn by a crash and are cut off")
        except Damaged as damage:
            if self._rules.damage_is_amnesia:
                self._log(f"{damage}: nothing is said of this log until a primary has completed it")
                promised, records = msgspec.structs.replace(promised, ready=False), []
                self._write_promise(promised)  # before the damage is gone from the disk
            else:
                records = self._file.readable()
        for record in map(_decode, records):
            if isinstance(record, _Checkpoint):
                snapshot, entries = record.snapshot, list(record.entries)
            else:
                entries[record.after - snapshot.index :] = record.entries
        # What was read may be only in the kernel's memory, but answers from now on must be based on durable data.
        self._write_anew(_Checkpoint(snapshot, entries))
        return Replica(snapshot=snapshot, entries=entries, epoch=promised.epoch, ready=promised.ready, rules=self._rules)

    def _write_promise(self, promised: _Promise) -> None:
        self._disk.replace(PROMISE, encode_line(msgspec.json.encode(promised)))
        self._promised = promised

    def _sync(self, name: str) -> None:
        if self._rules.synced_before_answer:
            self._disk.sync(name)


def rewritten(replica: Replica, written: Take) -> tuple[Snapshot, list[Entry]]:
    """What the log is rewritten to when these entries are to be put into it: a snapshot, and the entries after it."""
    applied = replica.machine.applied
    kept = [*replica.log.after(applied, written.after - applied), *written.entries]
    return replica.snapshot(), kept
