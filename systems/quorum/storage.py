"""A replica on its disk: it answers when what it answers is synced, many entries with one sync (group commit)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Final

from harness.node.disk import Disk
from systems.quorum.bugs import CORRECT, Rules
from systems.quorum.messages import Entry, Query, ReplicaRequest
from systems.quorum.records import (
    Damaged,
    Log,
    Mark,
    decode_line,
    decode_log,
    decode_marks,
    encode_line,
    encode_mark,
    encode_record,
    readable,
)
from systems.quorum.replica import Held, Replica

LOG: Final = "entries.log"
MARK: Final = "acknowledged"
STARTS: Final = "starts"

COMPACT_AT_BYTES: Final = 1024 * 1024
"""A longer log is replaced by one record with the newest entry of each key, unless those alone are half as long."""

_MARKS_A_SYNC: Final = 64
"""Marks are synced so many at a time, which costs the answers no second sync. A power loss may take the last marks, not the
records, which are synced by themselves. Only if such a record is then damaged, and looks torn, is it taken for torn."""

_DRAWN_BITS: Final = 48
"""So many bits of a start number are drawn where the last one is lost, below one that puts it above all counted ones."""


class Storage:
    """A replica that lasts. `start` counts how often it was opened, this time included, and no number comes twice.

    If the count is lost or damaged, the number is drawn anew with `random`: two versions under one number would be one
    version with two values, and no other node knows the last number, for what was written under it may have reached none.
    """

    def __init__(
        self,
        disk: Disk,
        log: Callable[[str], None],
        *,
        random: Random,
        rules: Rules = CORRECT,
        compact_at_bytes: int = COMPACT_AT_BYTES,
    ) -> None:
        """Read back what was held; if that cannot be known, `damaged` says why, and nothing is answered until `restore`."""
        self._disk = disk
        self._log = log
        self._rules = rules
        self._replica = Replica(rules)
        self.damaged: str | None = None
        self._waiting: list[tuple[Held, asyncio.Future[bool]]] = []
        self._compact_at_bytes = self._least_bytes = compact_at_bytes
        self._generation = self._log_bytes = self._marks = 0
        self._load()
        self.start = self._next_start(random)
        disk.replace(STARTS, encode_line(b"%d" % self.start))

    async def answer(self, request: ReplicaRequest) -> Entry | None:
        """What the replica holds when it has done what was asked; None if the disk did not take it, or is damaged."""
        if self.damaged:
            return None
        if not isinstance(request, Query):
            held = Held(request.key, request.entry)
            if not self._rules.logged_before_answer:
                self._replica.logged(held)
            if not self._replica.has(held) and not await self._commit_with_others(held):
                return None
        return self._replica.entry(request.key)

    def entries(self) -> list[Held] | None:
        """All that the replica holds; None if that is not known."""
        return None if self.damaged else self._replica.entries()

    def restore(self, entries: list[Held]) -> None:
        """Hold what the others hold, in place of a damaged log. Raises `OSError` if the disk does not take it."""
        replica = Replica(self._rules)
        for held in entries:
            replica.logged(held)
        self._write_anew(replica.entries())
        self._replica, self.damaged = replica, None

    def _next_start(self, random: Random) -> int:
        data = self._disk.read(STARTS)
        if data is None and not self.damaged and not self._replica.entries():
            return 1  # the first one, for all that was ever stored here came after its number was
        count = None if data is None else decode_line(data)
        if count is not None:
            return int(count) + 1
        start = 1 << _DRAWN_BITS | random.getrandbits(_DRAWN_BITS)
        self._log(f"the count of starts is {'lost' if data is None else 'damaged'}: this one is drawn, {start}")
        return start

    def _load(self) -> None:
        try:
            log = self._read()
        except Damaged as damage:
            if self._rules.damage_is_amnesia:
                self.damaged = str(damage)
                self._log(f"{damage}: nothing is answered until the other replicas have told what they hold")
                return
            log = Log(generation=self._generation, entries=readable(self._disk.read(LOG) or b""), torn_bytes=0)
        for held in log.entries:
            self._replica.logged(held)
        self._generation = max(self._generation, log.generation)
        if log.torn_bytes:
            self._log(f"the log's last {log.torn_bytes} bytes were torn by a crash and are cut off")
        # What was read may be in the kernel's memory only, and what is answered from now on must last. A sync is not enough,
        # for the node's last life may have seen one fail.
        self._write_anew(self._replica.entries())

    def _read(self) -> Log:
        """What the files tell. Raises `Damaged` if that is not all that was acknowledged."""
        data, marks, starts = (self._disk.read(name) for name in (LOG, MARK, STARTS))
        mark = None if marks is None else decode_marks(marks)
        if mark is not None:
            self._generation = mark.generation
        if data is not None:
            return decode_log(data, mark)
        if mark is not None or starts is not None:  # both are written after the log
            raise Damaged("the log is lost")
        return Log(generation=0, entries=[], torn_bytes=0)

    def _write_anew(self, entries: list[Held]) -> None:
        """Replace the log, and then its mark. After a crash in between, the log's generation is above the mark's."""
        self._generation += 1
        record = encode_record(self._generation, entries)
        self._disk.replace(LOG, record)
        self._disk.replace(MARK, encode_mark(Mark(self._generation, len(record))))
        self._log_bytes, self._marks = len(record), 0

    async def _commit_with_others(self, held: Held) -> bool:
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._commit)  # after everything else that has arrived in this turn of the loop
        done: asyncio.Future[bool] = loop.create_future()
        self._waiting.append((held, done))
        return await done

    def _commit(self) -> None:
        """Blocks the loop for one sync."""
        waiting, self._waiting = self._waiting, []
        batch = [held for held, _ in waiting]
        try:
            self._write(batch)
        except OSError as error:
            # What is on the disk now is not known, and a later sync that succeeds would not tell. Replacing it all would.
            self._compact_at_bytes = 0
            self._log(f"the disk did not take {len(batch)} entries: {error}")
            batch = []
        for held in batch:
            self._replica.logged(held)
        for _, done in waiting:
            if not done.done():  # the caller may be gone
                done.set_result(bool(batch))

    def _write(self, batch: list[Held]) -> None:
        record = encode_record(self._generation, batch)
        if self._log_bytes + len(record) > self._compact_at_bytes:
            self._write_anew([*self._replica.entries(), *(batch if self._rules.compaction_keeps_all else [])])
            self._compact_at_bytes = max(self._least_bytes, 2 * self._log_bytes)
            return
        self._disk.append(LOG, record)
        self._sync(LOG)
        self._disk.append(MARK, encode_mark(Mark(self._generation, self._log_bytes + len(record))))
        self._marks += 1
        if self._marks % _MARKS_A_SYNC == 0:
            self._sync(MARK)
        self._log_bytes += len(record)

    def _sync(self, name: str) -> None:
        if not self._rules.synced_before_answer:
            return
        try:
            self._disk.sync(name)
        except OSError:
            if self._rules.failed_syncs_are_final:
                raise
            self._disk.sync(name)
