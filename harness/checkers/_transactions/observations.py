"""What the transactions of a history wrote to each key, and what they read."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import pandas as pd

from harness.checkers._transactions.reading import KIND, Element, Key, Operation, Scalar, Types, transactions


class Writer(NamedTuple):
    """The writer of a value: its row, the write's place in that transaction, and whether it was its last write to the key."""

    row: int
    place: int
    last: bool


class Read(NamedTuple):
    """A read of another transaction's write: `seen` is the last element of a list, or the register's value.

    `length` is the list's length; 0 for a register.
    """

    row: int
    seen: Element
    length: int


class Oddity(NamedTuple):
    """Something that no order can explain."""

    why: str
    ops: tuple[int, ...]


@dataclass(slots=True)
class KeyRecord:
    """One key's record. `writers` holds the writes of transactions that took effect or may have."""

    writers: dict[Scalar, Writer] = field(default_factory=dict)
    failed: dict[Scalar, int] = field(default_factory=dict)
    reads: list[Read] = field(default_factory=list)
    order: list[Scalar] = field(default_factory=list)
    """The longest list that was read."""
    order_row: int = -1
    """The row of the transaction that read it."""
    is_list: bool = False
    is_register: bool = False
    ambiguous: str = ""
    """Why it is not known which write a read of this key saw; empty if it is."""
    changed_by: str = ""
    """What else may have changed this key; empty if nothing has."""
    incompatible: list[Oddity] = field(default_factory=list)
    """Reads of which neither is a prefix of the other."""
    future: list[Oddity] = field(default_factory=list)
    """Reads of what the reader itself wrote only later."""


@dataclass(slots=True)
class Observations:
    """All keys' records, the transactions involved, and what is wrong in any order."""

    keys: dict[Key, KeyRecord] = field(default_factory=lambda: defaultdict(KeyRecord))
    answered: set[int] = field(default_factory=set)
    """Rows of answered transactions."""
    unknown: set[int] = field(default_factory=set)
    untold: int = -1
    """The row of a transaction of unknown outcome whose operations are not recorded; -1 if there is none."""
    internal: list[Oddity] = field(default_factory=list)
    reads: int = 0


def observe(ops: pd.DataFrame) -> Observations:
    """Go through the transactions of a history. Raises `NotATransaction` for a malformed value.

    If some values are texts and others numbers, numbers count as texts: a client may write 5 to a store that answers "5".
    """
    types = Types()
    seen = _observed(ops, types, as_texts=False)
    return _observed(ops, types, as_texts=True) if types.mixed else seen


def _observed(ops: pd.DataFrame, types: Types, *, as_texts: bool) -> Observations:
    seen = Observations()
    dark = (ops["kind"] == KIND) & (ops["outcome"] == "unknown") & ops["value"].isna()
    seen.untold = int(ops.index[dark][0]) if dark.any() else -1
    for row, outcome, operations in transactions(ops, as_texts=as_texts):
        types.add(operations)
        if outcome == "ok":
            seen.answered.add(row)
        elif outcome == "unknown":
            seen.unknown.add(row)
        _writes(seen, row, outcome, operations)
        if outcome == "ok":
            _reads(seen, row, operations)
            _from_the_future(seen, row, operations)
    return seen


def _writes(seen: Observations, row: int, outcome: str, operations: list[Operation]) -> None:
    last = {key: number for number, (function, key, _) in enumerate(operations) if function != "r"}
    for number, (function, key, value) in enumerate(operations):
        if function == "r":
            continue
        record = seen.keys[key]
        if function == "append":
            record.is_list = True
        else:
            record.is_register = True
        if value is None or isinstance(value, list):
            record.ambiguous = f"null, which every key holds at first, was written to {key}"
        elif outcome == "failed":
            record.failed.setdefault(value, row)
        elif value in record.writers:
            record.ambiguous = f"{value} was written to {key} more than once"
        else:
            record.writers[value] = Writer(row, number, last[key] == number)


@dataclass(slots=True)
class _View:
    """What a transaction must find at a key, given its own earlier reads and writes.

    Before it has read a list, it knows only the elements that it has appended: `own`. After that, `state` is the whole value:
    None if nothing is there.
    """

    known: bool = False
    state: Element | list[Scalar] = None
    own: list[Scalar] = field(default_factory=list)
    wrote: bool = False


def _reads(seen: Observations, row: int, operations: list[Operation]) -> None:
    views: dict[Key, _View] = {}
    for function, key, value in operations:
        view = views.get(key)
        if view is None:
            view = views[key] = _View()
        if function == "r":
            seen.reads += 1
            _read(seen, row, key, view, value)
        elif function == "w":
            view.known = view.wrote = True
            view.state = value
        elif isinstance(value, int | float | str):
            view.wrote = True
            if not view.known:
                view.own.append(value)
            elif view.state is None or isinstance(view.state, list):
                view.state = [*(view.state or ()), value]


def _read(seen: Observations, row: int, key: Key, view: _View, value: Element | list[Scalar]) -> None:
    record = seen.keys[key]
    found = None if value == [] else value
    if view.known:
        if found != view.state:
            why = f"op {row} should find {key} = {text(view.state)} by its own reads and writes, but read {text(found)}"
            seen.internal.append(Oddity(why, (row,)))
    elif view.own and not (isinstance(found, list) and found[-len(view.own) :] == view.own):
        why = f"op {row} appended {text(view.own)} to {key} itself, then read {text(found)} there"
        seen.internal.append(Oddity(why, (row,)))
    view.known, view.state, view.own = True, found, []
    if isinstance(value, list):
        record.is_list = True
    elif value is not None:
        record.is_register = True
    if isinstance(found, list) and not _extends(record, row, found):
        why = (
            f"op {record.order_row} read {key} = {text(record.order)} and op {row} read {text(found)}:"
            " neither is a prefix of the other"
        )
        record.incompatible.append(Oddity(why, tuple(sorted({record.order_row, row}))))
    elif not view.wrote:
        record.reads.append(Read(row, found[-1], len(found)) if isinstance(found, list) else Read(row, found, 0))


def _from_the_future(seen: Observations, row: int, operations: list[Operation]) -> None:
    """Note what a transaction read although it wrote it itself only after that."""
    read: dict[Key, list[Element | list[Scalar]]] = {}
    for function, key, value in operations:
        if function == "r":
            read.setdefault(key, []).append(value)
        elif any(value in found if isinstance(found, list) else value == found for found in read.get(key, ())):
            seen.keys[key].future.append(Oddity(f"op {row} read {value} in {key} before it wrote it itself", (row,)))
            return


def _extends(record: KeyRecord, row: int, elements: list[Scalar]) -> bool:
    """Take a longer list as the order; False if neither is a prefix of the other."""
    order = record.order
    if len(elements) <= len(order):
        return order[: len(elements)] == elements
    if elements[: len(order)] != order:
        return False
    record.order, record.order_row = elements, row
    return True


_SHOWN: Final = 8


def text(value: object) -> str:
    """A value as a sentence names it; for a long list its end, where two lists differ."""
    if value is None:
        return "nothing"
    if not isinstance(value, list):
        return str(value)
    shown = ", ".join(map(str, value[-_SHOWN:]))
    return f"[{'… ' if len(value) > _SHOWN else ''}{shown}]"
