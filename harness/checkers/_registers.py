"""Contradictions in sentences, of registers whose written values are unique. See `_zones`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from harness.checkers._search.problem import Numbers
from harness.checkers._wording import quoted
from harness.checkers._zones import INITIAL, Booleans, Calls, Contradiction, Integers, Zones


class Found(NamedTuple):
    """A contradiction: the time by which it exists, its sentence, and the rows of `history.ops` that show it."""

    by_ns: int
    why: str
    ops: tuple[int, ...]


def contradictions(ops: pd.DataFrame, found: Registers) -> tuple[list[Found], list[str]]:
    """Contradictions of registers with unique written values, including the earliest; and all keys that have one."""
    calls = found.calls
    unwritten, early = found.unwritten(), found.early()
    judged = ~(unwritten | early)
    zones = Zones(calls.among(judged))
    pairs = zones.conflicts(calls.end)
    story = _Story(ops, found)
    told = []
    if unwritten.any():
        told.append(story.unwritten(_first(calls, unwritten)))
    if early.any():
        told.append(story.early(_first(calls, early)))
    if len(pairs):
        by, contradiction = zones.earliest(pairs)
        told.append(story.contradiction(by, contradiction, np.flatnonzero(judged)))
    keys = np.unique(np.concatenate([calls.key[unwritten | early], zones.keys(pairs)]))
    return told, [str(found.names[key]) for key in keys]


@dataclass(frozen=True, kw_only=True)
class Registers:
    """The calls that count, their rows in `history.ops`, and the keys' names.

    Failed calls, reads of unknown outcome, and calls of other kinds than "read" and "write" are left out. `write_of` is, for
    each cluster, the position of a write of its value, `INITIAL` if there is none; `null` is whether its value is null.
    """

    calls: Calls
    row: Integers
    names: pd.Index[str]
    write_of: Integers
    null: Booleans
    moments: Integers
    """The times by rank, in nanoseconds; the first has rank 1."""

    def unwritten(self) -> Booleans:
        """A mask of the reads of a value that no call that may have taken effect wrote."""
        unwritten: Booleans = (self.write_of == INITIAL) & ~self.null
        return np.take(unwritten, self.calls.cluster)

    def early(self) -> Booleans:
        """A mask of the reads that were done before the write of their value was sent."""
        write = self.write_of[self.calls.cluster]
        early: Booleans = (write != INITIAL) & (self.calls.done < self.calls.sent[write])
        return early


def registers(ops: pd.DataFrame, rows: Integers, key: Numbers, value: Integers, names: pd.Index[str]) -> Registers:
    """The calls in these rows of `history.ops`; the values written to a key must be unique.

    `key` is the place of each call's key in `names`. `value` numbers the values; null is -1.
    """
    kind, outcome = ops["kind"].iloc[rows], ops["outcome"].iloc[rows]
    write, read = ((kind == name).to_numpy(dtype=bool) for name in ("write", "read"))
    ok, unknown = ((outcome == name).to_numpy(dtype=bool) for name in ("ok", "unknown"))
    count = (read & ok) | (write & (ok | unknown))
    row, write, unknown = rows[count], write[count], unknown[count]
    key_of, value = key[count].astype(np.int64), value[count] + 1  # null becomes 0
    values = int(value.max(initial=0)) + 1
    cluster, numbers = pd.factorize(key_of * values + value)
    moments, times = np.unique(
        np.concatenate([ops["sent_ns"].to_numpy()[row], ops["done_ns"].to_numpy()[row]]), return_inverse=True
    )
    sent, done = times[: len(row)] + 1, times[len(row) :] + 1
    end = len(moments) + 1
    write_of = np.full(len(numbers), INITIAL)
    write_of[cluster[write]] = np.flatnonzero(write)
    return Registers(
        calls=Calls(key=key_of, cluster=cluster, write=write, sent=sent, done=np.where(unknown, end, done), end=end),
        row=row,
        names=names,
        write_of=write_of,
        null=numbers % values == 0,
        moments=moments,
    )


def _first(calls: Calls, chosen: Booleans) -> int:
    """The chosen call that was done first."""
    positions = np.flatnonzero(chosen)
    return int(positions[np.argmin(calls.done[positions])])


class _Story:
    """Sentences about calls, given by their position among the calls that count."""

    def __init__(self, ops: pd.DataFrame, registers: Registers) -> None:
        self._ops = ops
        self._registers = registers

    def unwritten(self, read: int) -> Found:
        row = self._row(read)
        key, value = self._ops["key"].iloc[row], self._ops["value"].iloc[row]
        same = (self._ops["kind"] == "write") & (self._ops["key"] == key) & (self._ops["value"] == value)
        failed = np.flatnonzero(same.fillna(False).to_numpy(dtype=bool))  # beside a write of null
        why = f"{self._key(read)}: {self._read(read)}, which was never written"
        if len(failed):
            writer = self._ops["client"].iloc[failed[0]]
            why = f"{self._key(read)}: {self._read(read)}, but client {writer}'s write of it (op {failed[0]}) had failed"
        return self._found(int(self._registers.calls.done[read]), why, [row, *map(int, failed[:1])])

    def early(self, read: int) -> Found:
        write = int(self._registers.write_of[self._registers.calls.cluster[read]])
        why = f"{self._key(read)}: {self._read(read)} before {self._call(write)} was sent"
        return self._found(int(self._registers.calls.done[read]), why, [self._row(read), self._row(write)])

    def contradiction(self, by: int, calls: Contradiction, positions: Integers) -> Found:
        """`positions` are the positions of the calls among which the contradiction was found."""
        four = [calls.older, calls.newer_sent, calls.newer_done, calls.read]
        older, newer_sent, newer_done, read = (INITIAL if call == INITIAL else int(positions[call]) for call in four)
        why = f"{self._key(read)}: {self._read(read)} after {self._past(newer_done)}"
        if older != INITIAL:
            newer = self._call(newer_sent) if newer_sent != newer_done else f"that {self._kind(newer_sent)}"
            why += f", yet {self._value(read)} is the older value: {self._past(older)} before {newer} was sent"
        return self._found(by, why, [self._row(call) for call in (older, newer_sent, newer_done, read) if call != INITIAL])

    def _found(self, by: int, why: str, rows: list[int]) -> Found:
        return Found(int(self._registers.moments[by - 1]), why, tuple(sorted(set(rows))))

    def _past(self, call: int) -> str:
        if self._registers.calls.write[call]:
            return f"{self._call(call)} had been acknowledged"
        return f"client {self._client(call)} had read {self._value(call)} (op {self._row(call)})"

    def _call(self, call: int) -> str:
        return f"client {self._client(call)}'s {self._kind(call)} of {self._value(call)} (op {self._row(call)})"

    def _read(self, call: int) -> str:
        return f"client {self._client(call)} read {self._value(call)} (op {self._row(call)})"

    def _kind(self, call: int) -> str:
        return "write" if self._registers.calls.write[call] else "read"

    def _key(self, call: int) -> str:
        return f"key {quoted(self._registers.names[self._registers.calls.key[call]])}"

    def _value(self, call: int) -> str:
        return quoted(self._ops["value"].iloc[self._row(call)])

    def _client(self, call: int) -> int:
        return int(self._ops["client"].iloc[self._row(call)])

    def _row(self, call: int) -> int:
        return int(self._registers.row[call])
