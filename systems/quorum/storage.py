"""A replica on its disk: it answers once its answer is synced, many entries with one sync (group commit)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Final, Protocol

from harness.node.disk import Disk
from systems.parts.owner import Owner
from systems.parts.record_log import Damaged, Log, RecordLog, decode_line, encode_line
from systems.quorum.bugs import CORRECT, Rules
from systems.quorum.messages import Entry, Keep, Query, ReplicaRequest, Settled
from systems.quorum.records import decode_entries, encode_entries
from systems.quorum.replica import Held, Release, Replica

LOG: Final = "entries.log"
MARK: Final = "acknowledged"
STARTS: Final = "starts"

COMPACT_AT_BYTES: Final = 1024 * 1024
"""A longer log is replaced by one record with the newest entry of each key, unless those alone are half as long."""

_DRAWN_BITS: Final = 48
"""How many random bits a start number has if the count is lost; a bit above them makes it larger than any counted one."""

_NAMELESS: Final = Owner("quorum", "")

Answered = Callable[[Entry | None], None]


class Records(Protocol):
    """Where entries are stored."""

    size_bytes: int

    def load(self, *, existed: bool = False) -> Log: ...

    def readable(self) -> list[bytes]: ...

    def append(self, data: bytes) -> None: ...

    def replace(self, data: bytes) -> None: ...


class NoRecords:
    """Stores nothing: a node in memory loses its entries at each restart, and gets them from the others."""

    size_bytes = 0

    def load(self, *, existed: bool = False) -> Log:
        if existed:
            raise Damaged("this node keeps its entries in memory only, and has started again")
        return Log(generation=0, records=[], torn_bytes=0)

    def readable(self) -> list[bytes]:
        return []

    def append(self, data: bytes) -> None: ...

    def replace(self, data: bytes) -> None: ...


class Storage:
    """A durable replica. `start` counts how often it was opened, including this time, and never repeats.

    If the count is lost or damaged, `start` is drawn with `random`: a repeated number could give one version two values, and no
    other node knows the last number, since nothing that was written under it may have reached one.
    """

    def __init__(
        self,
        disk: Disk,
        log: Callable[[str], None],
        *,
        random: Random,
        replica: Replica | None = None,
        owner: Owner = _NAMELESS,
        rules: Rules = CORRECT,
        memory: bool = False,
        compact_at_bytes: int = COMPACT_AT_BYTES,
    ) -> None:
        """Load what is on the disk; if that is damaged, `damaged` says why, and nothing is answered until `restore`.

        Raises `OtherNode` if the folder belongs to another node: its replica would count twice. With `memory`, entries are not
        written to the disk.
        """
        self._disk = disk
        self._log = log
        self._rules = rules
        self.replica = replica or Replica(rules)
        self.damaged: str | None = None
        self.changed: dict[str, None] = {}
        """Keys whose entries have changed, in order; the consumer removes them."""
        self.in_doubt: list[Held] = []
        """What is being written, or what the disk did not take: it may be on the disk or not, until a write has succeeded."""
        self._waiting: list[tuple[ReplicaRequest | Release, Answered]] = []
        self._compact_at_bytes = self._least_bytes = compact_at_bytes
        self._file: Records = NoRecords() if memory else RecordLog(disk, name=LOG, mark=MARK, sync=self._sync)
        self.in_memory = memory
        owner.claim(disk)
        self._load()
        self.start = self._next_start(random)
        disk.replace(STARTS, encode_line(b"%d" % self.start))

    def ask(self, request: ReplicaRequest | Release, answered: Answered) -> None:
        """Carry a request out; `answered` gets what the replica then holds, or None if writing failed or the log is damaged.

        It is called at once if nothing has to be written.
        """
        replica = self.replica
        if self.damaged is not None:
            answered(None)
        elif isinstance(request, Query):
            answered(replica.newest(request.key) if request.kept else replica.entry(request.key))
        elif isinstance(request, Settled):
            answered(Entry() if replica.holds_older(request.key, request.version) else Entry(request.version))
        elif isinstance(request, Keep) and not replica.has_room(request.home):
            answered(None)
        elif not self._waiting and (changed := replica.after(request, replica.entry(request.key))) is None:
            answered(self._told(request))
        elif self.in_memory or not self._rules.logged_before_answer:
            if changed is not None:
                self._take([changed])
            answered(self._told(request))
        else:
            if not self._waiting:
                loop = asyncio.get_running_loop()
                # After everything else that arrived in this turn of the loop, and after its requests to others have left.
                loop.call_soon(lambda: loop.call_soon(lambda: loop.call_soon(self._commit)))
            self._waiting.append((request, answered))

    async def answer(self, request: ReplicaRequest) -> Entry | None:
        """Carry a request out, and await the answer of `ask`."""
        done: asyncio.Future[Entry | None] = asyncio.get_running_loop().create_future()
        self.ask(request, lambda entry: None if done.done() else done.set_result(entry))
        return await done

    def entries(self) -> list[Held] | None:
        """Everything that the replica holds; None if the log is damaged."""
        return None if self.damaged else self.replica.entries()

    def by_key(self) -> Mapping[str, Entry] | None:
        """The entries that the replica holds itself, read-only; None if the log is damaged."""
        return None if self.damaged else self.replica.by_key

    def restore(self, replica: Replica) -> None:
        """Replace a damaged log by what the others hold. Raises `OSError` if writing fails."""
        self._file.replace(encode_entries(replica.entries()))
        self.replica, self.damaged = replica, None
        self.changed.update(dict.fromkeys(held.key for held in replica.entries()))

    def _told(self, request: ReplicaRequest | Release) -> Entry:
        return request.entry if isinstance(request, Keep) else self.replica.entry(request.key)

    def _next_start(self, random: Random) -> int:
        data = self._disk.read(STARTS)
        if data is None and not self.damaged and not self.replica.entries():
            return 1  # the first start: its number is stored before anything else
        count = None if data is None else decode_line(data)
        if count is not None:
            return int(count) + self._rules.starts_counted
        start = 1 << _DRAWN_BITS | random.getrandbits(_DRAWN_BITS)
        self._log(f"the count of starts is {'lost' if data is None else 'damaged'}: this one is drawn, {start}")
        return start

    def _load(self) -> None:
        try:
            log = self._file.load(existed=self._disk.read(STARTS) is not None)  # written after the log
            records, torn_bytes = log.records, log.torn_bytes
        except Damaged as damage:
            if self._rules.damage_is_amnesia:
                self.damaged = str(damage)
                self._log(f"{damage}: nothing is answered until the other replicas have told what they hold")
                return
            records, torn_bytes = self._file.readable(), 0
        for held in decode_entries(records):
            self.replica.logged(held)
        if torn_bytes:
            self._log(f"the log's last {torn_bytes} bytes were torn by a crash and are cut off")
        self._file.replace(encode_entries(self.replica.entries()))
        self.changed.update(dict.fromkeys(held.key for held in self.replica.entries()))

    def _take(self, batch: list[Held]) -> None:
        for held in batch:
            self.replica.logged(held)
            self.changed[held.key] = None

    def _commit(self) -> None:
        """Blocks the loop for one sync."""
        waiting, self._waiting = self._waiting, []
        batch = self.changes([request for request, _ in waiting])
        written = True
        try:
            self._write(batch)
        except OSError as error:
            self._log(f"the disk did not take {len(batch)} entries: {error}")
            written = False
        if written:
            self._take(batch)
        for request, answered in waiting:
            answered(self._told(request) if written else None)

    def changes(self, requests: Sequence[ReplicaRequest | Release]) -> list[Held]:
        """What requests change when carried out in order: the last state of each key."""
        own: dict[str, Held] = {}
        kept: dict[tuple[str, str], Held] = {}
        for request in requests:
            before = own[request.key].entry if request.key in own else self.replica.entry(request.key)
            changed = self.replica.after(request, before)
            if changed is None:
                continue
            if not changed.home:
                own[changed.key] = changed
            elif (older := kept.get((changed.home, changed.key))) is None or older.entry.version < changed.entry.version:
                kept[changed.home, changed.key] = changed
        return [*own.values(), *kept.values()]

    def _write(self, batch: list[Held]) -> None:
        if not batch:
            return
        if self.in_doubt:
            # What is on the disk is unknown, and a later successful sync would not show it. The log is replaced before anything
            # else is written, so that nothing more can get there meanwhile, nor has to be remembered.
            self._file.replace(encode_entries(self.replica.entries()))
        data, self.in_doubt = encode_entries(batch), batch
        if self._file.size_bytes + len(data) > self._compact_at_bytes:
            kept = batch if self._rules.compaction_keeps_all else []
            self._file.replace(encode_entries([*self.replica.entries(), *kept]))
            self._compact_at_bytes = max(self._least_bytes, 2 * self._file.size_bytes)
        else:
            self._file.append(data)
        self.in_doubt = []

    def _sync(self, name: str) -> None:
        if not self._rules.synced_before_answer:
            return
        try:
            self._disk.sync(name)
        except OSError:
            if self._rules.failed_syncs_are_final:
                raise
            self._disk.sync(name)
