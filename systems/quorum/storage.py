"""A replica on its disk: it answers when what it answers is synced, many entries with one sync (group commit)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from typing import Final

from harness.node.disk import Disk
from systems.parts.record_log import Damaged, RecordLog, decode_line, encode_line
from systems.quorum.bugs import CORRECT, Rules
from systems.quorum.messages import Entry, Query, ReplicaRequest
from systems.quorum.records import decode_entries, encode_entries
from systems.quorum.replica import Held, Replica

LOG: Final = "entries.log"
MARK: Final = "acknowledged"
STARTS: Final = "starts"

COMPACT_AT_BYTES: Final = 1024 * 1024
"""A longer log is replaced by one record with the newest entry of each key, unless those alone are half as long."""

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
        self._file = RecordLog(disk, name=LOG, mark=MARK, sync=self._sync)
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

    def by_key(self) -> Mapping[str, Entry] | None:
        """The same as it is, to be looked at only."""
        return None if self.damaged else self._replica.by_key

    def restore(self, entries: list[Held]) -> None:
        """Hold what the others hold, in place of a damaged log. Raises `OSError` if the disk does not take it."""
        replica = Replica(self._rules)
        for held in entries:
            replica.logged(held)
        self._file.replace(encode_entries(replica.entries()))
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
            log = self._file.load(existed=self._disk.read(STARTS) is not None)  # which is written after the log
            records, torn_bytes = log.records, log.torn_bytes
        except Damaged as damage:
            if self._rules.damage_is_amnesia:
                self.damaged = str(damage)
                self._log(f"{damage}: nothing is answered until the other replicas have told what they hold")
                return
            records, torn_bytes = self._file.readable(), 0
        for held in decode_entries(records):
            self._replica.logged(held)
        if torn_bytes:
            self._log(f"the log's last {torn_bytes} bytes were torn by a crash and are cut off")
        self._file.replace(encode_entries(self._replica.entries()))

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
        data = encode_entries(batch)
        if self._file.size_bytes + len(data) > self._compact_at_bytes:
            kept = batch if self._rules.compaction_keeps_all else []
            self._file.replace(encode_entries([*self._replica.entries(), *kept]))
            self._compact_at_bytes = max(self._least_bytes, 2 * self._file.size_bytes)
        else:
            self._file.append(data)

    def _sync(self, name: str) -> None:
        if not self._rules.synced_before_answer:
            return
        try:
            self._disk.sync(name)
        except OSError:
            if self._rules.failed_syncs_are_final:
                raise
            self._disk.sync(name)
