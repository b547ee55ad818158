"""Dependencies between transactions, and phenomena that no order can explain (Adya's dependencies and direct phenomena)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

from harness.checkers._transactions.observations import KeyRecord, Observations, Oddity, text
from harness.checkers._transactions.reading import Element, Key, Scalar

_FEW: Final = 1000
"""Up to this many pairs of readers and writers are joined directly, more through a joint."""


class Kind(IntEnum):
    """Why one transaction comes before another."""

    WW = 0
    """It wrote the version that the other's write replaced."""
    WR = 1
    """It wrote the version that the other read."""
    RW = 2
    """It read the version that the other overwrote."""
    RT = 3
    """It was done before the other was sent."""
    INSIDE = 4
    """A transaction's beginning comes before its end."""


class Edge(NamedTuple):
    """A dependency. `before` is the value at the source, `after` the value at the target."""

    kind: Kind
    source: int
    target: int
    key: Key = ""
    before: Element = None
    after: Element = None


@dataclass(frozen=True, slots=True)
class Unordered:
    """Writers of a key whose order no read reveals: each with its value and the transactions that read it."""

    key: Key
    writers: tuple[int, ...]
    values: tuple[Element, ...]
    readers: tuple[tuple[int, ...], ...]


@dataclass(slots=True)
class Dependencies:
    """A graph over committed transactions, numbered from 0; numbers from `len(rows)` on are joints shared by many edges."""

    rows: list[int]
    """Each transaction's row in the history."""
    edges: list[Edge] = field(default_factory=list)
    joints: int = 0
    unordered: list[Unordered] = field(default_factory=list)
    phenomena: dict[str, list[Oddity]] = field(default_factory=lambda: defaultdict(list))
    ambiguous: dict[Key, str] = field(default_factory=dict)
    """Keys that were left out, and why."""
    lists: set[Key] = field(default_factory=set)
    """Keys that are lists; the others are registers."""

    def joint(self) -> int:
        self.joints += 1
        return len(self.rows) + self.joints - 1


def dependencies(seen: Observations) -> Dependencies:
    """The dependencies that hold in every order that explains the reads; ambiguous keys are left out.

    A transaction of unknown outcome counts as committed if another one read its write; otherwise it is left out, like a failed
    one.
    """
    for key, record in seen.keys.items():
        if record.is_list and record.is_register:
            record.ambiguous = f"{key} was used as a list and as a register"
    committed = seen.answered | _observed(seen)
    found = Dependencies(rows=sorted(committed))
    number = {row: place for place, row in enumerate(found.rows)}
    found.phenomena["internal"] = seen.internal
    for key, record in seen.keys.items():
        if not (record.changed_by or record.is_register):  # else it may have shrunk
            found.phenomena["incompatible"] += record.incompatible
        if record.ambiguous:
            found.ambiguous[key] = record.ambiguous
            continue
        found.phenomena["future read"] += record.future
        if record.is_list:
            found.lists.add(key)
            _of_list(found, number, key, record)
        else:
            _of_register(found, number, key, record)
    return found


def _observed(seen: Observations) -> set[int]:
    """Transactions of unknown outcome that took effect, because one of their writes was read."""
    rows: set[int] = set()
    for record in seen.keys.values():
        if record.ambiguous:
            continue
        if record.is_list:
            rows.update(record.writers[element].row for element in record.order if element in record.writers)
        else:
            rows.update(record.writers[read.seen].row for read in record.reads if read.seen in record.writers)
    return rows & seen.unknown


def _of_list(found: Dependencies, number: dict[int, int], key: Key, record: KeyRecord) -> None:
    order = record.order
    _strange_elements(found, key, record)
    _scrambled(found, key, record)
    writers = [number.get(record.writers[element].row) if element in record.writers else None for element in order]
    edges = found.edges
    for position in range(len(order) - 1):
        earlier, later = writers[position], writers[position + 1]
        if earlier is not None and later is not None and earlier != later:
            edges.append(Edge(Kind.WW, earlier, later, key, order[position], order[position + 1]))
    there = set(order)
    unread = [(number[w.row], value) for value, w in record.writers.items() if value not in there and w.row in number]
    if order and writers[-1] is not None:
        for writer, element in unread:
            if writer != writers[-1]:
                edges.append(Edge(Kind.WW, writers[-1], writer, key, order[-1], element))
    ends: list[int] = []
    for read in record.reads:
        reader = number[read.row]
        if read.length:
            seen_of = writers[read.length - 1]
            if seen_of is not None and seen_of != reader:
                edges.append(Edge(Kind.WR, seen_of, reader, key, read.seen))
                if not record.writers[order[read.length - 1]].last:
                    _intermediate(found, key, record, read.row, order[read.length - 1])
        if read.length < len(order):
            overwriter = writers[read.length]
            if overwriter is not None and overwriter != reader:
                edges.append(Edge(Kind.RW, reader, overwriter, key, read.seen, order[read.length]))
        else:
            ends.append(reader)
    _all_before(found, key, ends, order[-1] if order else None, unread)
    _lost_updates(found, key, record)
    if len({writer for writer, _ in unread}) > 1:
        last = dict(unread)  # a transaction's last unread element stands for it
        found.unordered.append(Unordered(key=key, writers=tuple(last), values=tuple(last.values()), readers=((),) * len(last)))


def _of_register(found: Dependencies, number: dict[int, int], key: Key, record: KeyRecord) -> None:
    readers: dict[Element, list[int]] = defaultdict(list)
    initial = []
    for read in record.reads:
        reader = number[read.row]
        if read.seen is None:
            initial.append(reader)
            continue
        writer = record.writers.get(read.seen)
        if writer is None:
            _unwritten(found, key, record, read.row, read.seen)
            continue
        if not writer.last and writer.row != read.row:
            _intermediate(found, key, record, read.row, read.seen)
        if number[writer.row] != reader:
            found.edges.append(Edge(Kind.WR, number[writer.row], reader, key, read.seen))
            readers[read.seen].append(reader)
    last = [(number[w.row], value) for value, w in record.writers.items() if w.last and w.row in number]
    written = dict(last)
    for value, those in readers.items():
        for overwriter in dict.fromkeys(reader for reader in those if reader in written):
            for reader in those:
                if reader != overwriter:
                    found.edges.append(Edge(Kind.RW, reader, overwriter, key, value, written[overwriter]))
            break  # a second one is a lost update, which needs no edges
    _all_before(found, key, initial, None, last)
    _lost_updates(found, key, record)
    if len(last) > 1:
        found.unordered.append(
            Unordered(
                key=key,
                writers=tuple(writer for writer, _ in last),
                values=tuple(value for _, value in last),
                readers=tuple(tuple(dict.fromkeys(readers[value])) for _, value in last),
            )
        )


def _all_before(
    found: Dependencies, key: Key, readers: Sequence[int], seen: Element, writers: Sequence[tuple[int, Element]]
) -> None:
    """Add dependencies from each of these readers to each of these writers, which all wrote later versions."""
    readers = list(dict.fromkeys(readers))
    own = {writer for writer, _ in writers}
    direct = readers if len(readers) * len(writers) <= _FEW else [reader for reader in readers if reader in own][:1]
    for reader in direct:
        for writer, value in writers:
            if reader != writer:
                found.edges.append(Edge(Kind.RW, reader, writer, key, seen, value))
    if direct is not readers:
        joint = found.joint()
        for reader in readers:
            if reader not in own:
                found.edges.append(Edge(Kind.RW, reader, joint, key, seen))
        for writer, value in writers:
            found.edges.append(Edge(Kind.RW, joint, writer, key, None, value))


def _lost_updates(found: Dependencies, key: Key, record: KeyRecord) -> None:
    """Find transactions that read the same version of a key and both wrote the next one without seeing the other's write."""
    writing = {writer.row for writer in record.writers.values()}
    updaters: dict[tuple[Element, int], dict[int, None]] = defaultdict(dict)
    for read in record.reads:
        if read.row in writing:
            updaters[read.seen, read.length][read.row] = None
    for (seen, _), those in updaters.items():
        rows = list(those)
        if len(rows) > 1:
            told = " and ".join(f"op {row}" for row in rows[:3]) + (f" and {len(rows) - 3:,} more" if len(rows) > 3 else "")
            what = f"{key} = {text(seen)}" if not record.is_list else f"{key} {_up_to(seen)}"
            found.phenomena["lost update"].append(Oddity(f"{told} read {what}, and each wrote to it", tuple(rows[:12])))


def _up_to(seen: Element) -> str:
    return "as empty" if seen is None else f"up to {seen}"


def _strange_elements(found: Dependencies, key: Key, record: KeyRecord) -> None:
    twice, times = Counter(record.order).most_common(1)[0] if record.order else (None, 0)
    if times > 1:
        why = f"op {record.order_row} read {twice} twice in {key}, to which it was appended once"
        found.phenomena["duplicate"].append(Oddity(why, (record.order_row,)))
    for element in record.order:
        if element not in record.writers:
            _unwritten(found, key, record, record.order_row, element)


def _scrambled(found: Dependencies, key: Key, record: KeyRecord) -> None:
    """Find elements of one transaction that stand in another order than it appended them."""
    before: dict[int, Scalar] = {}
    for element in record.order:
        writer = record.writers.get(element)
        if writer is None:
            continue
        earlier = before.get(writer.row, element)
        if record.writers[earlier].place > writer.place:
            read = f"op {record.order_row} read {earlier} before {element} in {key}"
            why = f"{read}, and op {writer.row} had appended them the other way round"
            found.phenomena["scrambled"].append(Oddity(why, tuple(sorted({record.order_row, writer.row}))))
            return
        before[writer.row] = element


def _unwritten(found: Dependencies, key: Key, record: KeyRecord, row: int, value: Element) -> None:
    failed = record.failed.get(value) if value is not None else None
    if failed is None:
        found.phenomena["unwritten"].append(Oddity(f"op {row} read {value} in {key}, which was never written there", (row,)))
    else:
        why = f"op {row} read {value} in {key}, which op {failed} wrote, and that had failed"
        found.phenomena["G1a"].append(Oddity(why, tuple(sorted({row, failed}))))


def _intermediate(found: Dependencies, key: Key, record: KeyRecord, row: int, value: Scalar) -> None:
    writer = record.writers[value].row
    why = f"op {row} read {key} {'up to' if record.is_list else '='} {value}, which op {writer} wrote and then changed again"
    found.phenomena["G1b"].append(Oddity(why, tuple(sorted({row, writer}))))
