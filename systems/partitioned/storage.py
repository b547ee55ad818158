"""What a node holds, in memory and on its disk: a log in segments; many entries share one sync (group commit).

The node appends to a segment until that is long; when little of a segment is still in use, it copies that into the present
segment, and empties the old one, whose file is used again (as in M. Rosenblum and J. Ousterhout, "The Design and Implementation
of a Log-Structured File System", ACM TOCS 10(1), 1992). So storing a copy of some megabytes, and reclaiming its space after it
has moved away, needs neither long pauses nor twice the disk.

Besides entries there are notes, short texts by name, written in the same record as entries: a note about a copy is on the disk
if, and only if, the copied entries are.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from typing import Final, NamedTuple

import msgspec
from sortedcontainers import SortedDict

from harness.node.disk import Disk
from systems.partitioned.bugs import CORRECT, Rules
from systems.partitioned.frames import encode_line, lines
from systems.partitioned.messages import Entry, Held

SEGMENT_BYTES: Final = 1 << 20
_OVERHEAD_BYTES: Final = 48
"""The approximate size of an entry without its position and its value."""
_SLACK_BYTES: Final = 1 << 16
"""This much may be out of date before the node cleans a segment; less if segments are smaller."""


class _Record(msgspec.Struct, array_like=True):
    number: int
    held: list[Held]
    notes: dict[str, str | None]


class _Slot(NamedTuple):
    entry: Entry
    segment: int


class Storage:
    """Entries by position, and notes. The node answers nothing before `opened`."""

    def __init__(self, disk: Disk, log: Callable[[str], None], *, rules: Rules = CORRECT, segment_bytes: int = SEGMENT_BYTES):
        self._disk = disk
        self._log = log
        self._rules = rules
        self._segment_bytes = segment_bytes
        self._slots: SortedDict[str, _Slot] = SortedDict()
        self._places: dict[int, set[str]] = {}
        """By segment, the positions of the entries in it."""
        self._lengths: dict[int, int] = {}
        """By segment, its length in bytes; only of segments that hold anything."""
        self._present = 0
        self._highest = 0
        """The highest number that a segment has had."""
        self._free: set[int] = set()
        """The segments whose files are empty, but for the present one."""
        self._copied: int | None = None
        """The segment that is not in use any more and is yet to be emptied, if there is one."""
        self._number = 0
        self._waiting: list[tuple[Sequence[Held], Mapping[str, str | None], asyncio.Future[bool] | None]] = []
        """What is to be written, and who waits for that, if anybody."""
        self.notes: dict[str, str] = {}
        self.held_bytes = 0
        self.opened = False
        self.failing = False
        """Whether the last write to the disk failed."""

    def open(self) -> None:
        """Read the log, and rewrite it. Raises `OSError` if the disk fails, `Damaged` if the log is not what was written.

        The data read may be only in the kernel's memory, because a sync may have failed before the restart: hence the rewrite.
        """
        self._slots, self._places, self._lengths, self.held_bytes, self._copied = SortedDict(), {}, {}, 0, None
        self._highest, self._free = 0, set()
        newest: dict[str, Entry] = {}
        notes: dict[str, tuple[int, str | None]] = {}
        old: list[int] = []
        for name in (name for name in self._disk.names() if name.startswith("segment-")):
            content, number = self._disk.read(name), int(name.partition("-")[2])
            self._highest = max(self._highest, number)
            if not content:
                self._free.add(number)
                continue
            old.append(number)
            records, torn_bytes = lines(content)
            if torn_bytes:
                self._log(f"cut off the last {torn_bytes} bytes of {name}, which a crash tore")
            for record in (msgspec.json.decode(data, type=_Record) for data in records):
                self._number = max(self._number, record.number)
                for held in record.held:
                    newest[held.place] = max(newest.get(held.place, Entry()), held.entry, key=lambda one: one.version)
                for note, text in record.notes.items():
                    notes[note] = max(notes.get(note, (0, None)), (record.number, text), key=lambda one: one[0])
        self.notes = {note: text for note, (_, text) in notes.items() if text is not None}
        self._present = self._next()
        everything = [Held(place, entry) for place, entry in newest.items()]
        for part in _parts(everything, self._segment_bytes) if old else ():
            self._number += 1
            data = encode_line(msgspec.json.encode(_Record(self._number, part, dict(self.notes))))
            self._disk.replace(_name(self._present), data)
            self._lengths[self._present] = len(data)
            self._take(part)
            self._present = self._next()
        for number in old:
            self._empty(number)
        self.opened = True

    def entry(self, place: str) -> Entry:
        slot = self._slots.get(place)
        return slot.entry if slot else Entry()

    async def put(self, held: Sequence[Held], notes: Mapping[str, str | None] | None = None) -> bool:
        """Store these entries, except where newer ones exist; whether they are on the disk now."""
        if not notes and all(map(self._has, held)):
            return True
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._commit)  # after everything else that has arrived in this turn of the loop
        done: asyncio.Future[bool] = loop.create_future()
        self._waiting.append((held, notes or {}, done))
        return await done

    def try_again(self) -> None:
        """See whether a disk that failed takes data again, by writing to it. Blocks the event loop for one sync.

        While the disk fails the node is given nothing, so there may be no other write that would show it.
        """
        if self.failing:
            with contextlib.suppress(OSError):
                self._write([], {})
                self.failing = False

    def between(self, low: str, high: str | None, after: str = "") -> Iterator[Held]:
        """The entries from `low` to before `high`, in order, after a position; nothing may change meanwhile."""
        begin, at_it = (after, False) if after else (low, True)
        for place in self._slots.irange(begin, high, inclusive=(at_it, False)):
            yield Held(place, self._slots[place].entry)

    def forget(self, low: str, high: str | None) -> int:
        """Discard the entries from `low` to before `high`, also those on their way to the disk; returns how many it held.

        They may come back at the next start, which does no harm: what their new owners have is newer.
        """
        self._waiting = [
            ([one for one in held if one.place < low or (high is not None and one.place >= high)], notes, done)
            for held, notes, done in self._waiting
        ]
        places = list(self._slots.irange(low, high, inclusive=(True, False)))
        for place in places:
            self._drop(place)
        return len(places)

    @property
    def on_their_way(self) -> list[Held]:
        """The entries that are to be written next."""
        return [one for held, _, _ in self._waiting for one in held]

    def imagined(self, held: Sequence[Held]) -> Storage:
        """A copy with these entries on their way to the disk, to discard some of it: nothing happens to this one.

        Nothing must be written to it.
        """
        other = self._copy()
        other._waiting = [*self._waiting, (held, {}, None)]
        return other

    def imagined_cleaning(self, disk: Disk) -> None:
        """Clean a segment, if any is closed, as if everything was on this disk: nothing happens to this storage."""
        other = self._copy()
        other._disk, other._log = disk, lambda text: None
        if other._closed:
            other._clean()

    @property
    def needed_files(self) -> list[str]:
        """The files that hold what is in no other one, except for the present segment's."""
        return [_name(segment) for segment in self._closed if segment != self._copied]

    def _copy(self) -> Storage:
        other = copy(self)
        other._slots, other._lengths, other.notes = SortedDict(self._slots), dict(self._lengths), dict(self.notes)
        other._free = set(self._free)
        other._places = {segment: set(places) for segment, places in self._places.items()}
        return other

    def _has(self, held: Held) -> bool:
        return self._rules.newest_kept and held.entry.version <= self.entry(held.place).version

    def _commit(self) -> None:
        """Commit everything that is waiting. Blocks the event loop for one sync."""
        waiting, self._waiting = self._waiting, []
        newest: dict[str, Held] = {}
        notes: dict[str, str | None] = {}
        for held, more, _ in waiting:
            notes.update(more)
            for one in held:
                before = newest.get(one.place)
                if not self._has(one) and (before is None or before.entry.version < one.entry.version):
                    newest[one.place] = one
        written = True
        if newest or notes:
            try:
                self._write(list(newest.values()), notes)
            except OSError as error:
                self._log(f"the disk refused {len(newest)} entries: {error}")
                written = False
            self.failing = not written
            if self._has_much_out_of_date():
                self._clean()
        for _, _, done in waiting:
            if done is not None and not done.done():  # the caller may be gone
                done.set_result(written)

    def _write(self, held: list[Held], notes: Mapping[str, str | None]) -> None:
        """Append one record, and hold its entries. Raises `OSError` if the disk fails."""
        if self._lengths.get(self._present, 0) >= self._segment_bytes:
            self._present = self._next()
        self._number += 1
        data, name = encode_line(msgspec.json.encode(_Record(self._number, held, dict(notes)))), _name(self._present)
        self._disk.append(name, data)
        segment, self._lengths[self._present] = self._present, self._lengths.get(self._present, 0) + len(data)
        if self._rules.synced_before_answer:
            try:
                self._disk.sync(name)
            except OSError:
                self._present = self._next()  # the segment's contents are unknown now, and a later sync would not prove them
                raise
        for note, text in notes.items():
            if text is None:
                self.notes.pop(note, None)
            else:
                self.notes[note] = text
        self._take(held, segment)

    def _next(self) -> int:
        """The number of another segment, which is empty."""
        if not self._free:
            self._highest += 1
            return self._highest
        number = min(self._free)
        self._free.remove(number)
        return number

    def _empty(self, segment: int) -> None:
        self._disk.replace(_name(segment), b"")
        self._free.add(segment)

    def _take(self, held: Sequence[Held], segment: int | None = None) -> None:
        segment = self._present if segment is None else segment
        mine = self._places.setdefault(segment, set())
        for one in held:
            if one.place in self._slots:
                self._drop(one.place)
            self._slots[one.place] = _Slot(one.entry, segment)
            self.held_bytes += size_of(one)
            mine.add(one.place)

    def _drop(self, place: str) -> None:
        slot = self._slots.pop(place)
        self._places[slot.segment].discard(place)
        self.held_bytes -= size_of(Held(place, slot.entry))

    @property
    def _closed(self) -> list[int]:
        """The segments that hold something and get nothing more."""
        return [number for number in self._lengths if number != self._present]

    def _has_much_out_of_date(self) -> bool:
        return sum(self._lengths.values()) > 2 * self.held_bytes + min(_SLACK_BYTES, 2 * self._segment_bytes)

    def _clean(self) -> None:
        """Copy what the segment with the least in use still holds, and empty it."""
        closed = self._closed
        if not closed:
            self._present = self._next()
            return
        worst = self._copied or min(closed, key=lambda number: len(self._places.get(number, ())) / (1 + self._lengths[number]))
        try:
            if self._copied is None:  # copying it again, each time that it cannot be emptied, would fill the disk
                kept = [Held(place, self._slots[place].entry) for place in sorted(self._places.get(worst, ()))]
                self._write(kept, dict(self.notes))
                self._copied = worst
            self._empty(worst)
        except OSError as error:
            self._log(f"cannot clean segment {worst}: {error}")
            return
        del self._lengths[worst]
        self._places.pop(worst, None)
        self._copied = None


def size_of(held: Held) -> int:
    return len(held.place) + len(held.entry.value or "") + _OVERHEAD_BYTES


def _name(segment: int) -> str:
    return f"segment-{segment:06}"


def _parts(held: Sequence[Held], limit_bytes: int) -> Iterator[list[Held]]:
    """All of them in parts of about `limit_bytes`; one empty part, for the notes, if there are none."""
    part: list[Held] = []
    bytes_so_far = 0
    for one in held:
        part.append(one)
        bytes_so_far += size_of(one)
        if bytes_so_far >= limit_bytes:
            yield part
            part, bytes_so_far = [], 0
    if part or not held:
        yield part
