"""Whether every key behaved like one register that does one thing at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from harness.checkers._wording import count, listed, quoted
from harness.checkers._zones import INITIAL, Booleans, Calls, Contradiction, Integers, Zones
from harness.model.history import History
from harness.model.verdict import Verdict

KINDS: Final = ("read", "write")


def linearizable(history: History) -> Verdict:
    """Each read or write of a key seems to take effect at one moment between its call and its answer.

    Keys are judged one by one (the whole is linearizable if each key is: M. Herlihy and J. Wing, "Linearizability", ACM
    TOPLAS 12(3), 1990, section 3.1); a key holds null before its first write. Values must be written at most once to a key,
    else it is not known which write a read saw and the verdict is unknown. A failed call had no effect, so no one may read
    what it wrote. A write of unknown outcome takes effect at any time after it was sent, or never; a read of unknown outcome
    says nothing. Calls whose times touch are concurrent.

    An invalid verdict tells the contradiction that was there first, whatever came later; `ops` are the calls it consists of,
    one to four. The algorithm is in `harness.checkers._zones`: O(n log n) for n calls on any number of keys.
    """
    registers = _registers(history.ops)
    calls = registers.calls
    if calls.write.all():
        return Verdict(valid=None, why="no read was answered, so nothing could show the order of the writes")
    repeated = registers.repeated()
    undecided = repeated[calls.key]
    unwritten, early = registers.unwritten(), registers.early() & ~undecided
    judged = ~(unwritten | early | undecided)
    zones = Zones(calls.among(judged))
    pairs = zones.conflicts(calls.end)
    story = _Story(history.ops, registers)
    found: list[_Found] = []
    if unwritten.any():
        found.append(story.unwritten(_first(calls, unwritten)))
    if early.any():
        found.append(story.early(_first(calls, early)))
    if len(pairs):
        by, contradiction = zones.earliest(pairs)
        found.append(story.contradiction(by, contradiction, np.flatnonzero(judged)))
    if found:
        keys = np.unique(np.concatenate([calls.key[unwritten | early], zones.keys(pairs)]))
        _, why, ops = min(found)
        more = f" ({count(len(keys), 'key')} contradict themselves)" if len(keys) > 1 else ""
        return Verdict(valid=False, why=why + more, ops=ops)
    if repeated.any():
        return Verdict(valid=None, why=story.repeated(repeated))
    reads = int((~calls.write).sum())
    told = f"{count(reads, 'read')} and {count(len(calls.write) - reads, 'write')} on {count(len(registers.names), 'key')}"
    return Verdict(valid=True, why=f"one order in time explains all of {told}")


@dataclass(frozen=True, kw_only=True)
class _Registers:
    """The calls that count, their rows in `history.ops`, and the keys' names.

    Left out are failed calls, reads of unknown outcome, and calls of other kinds than "read" and "write". `write_of` tells
    for each cluster the position of a write of its value, `INITIAL` if there is none; `null` whether its value is null.
    """

    calls: Calls
    row: Integers
    names: list[str]
    write_of: Integers
    null: Booleans

    def repeated(self) -> Booleans:
        """For each key whether a value was written to it twice, or null was written."""
        calls, repeated = self.calls, np.zeros(len(self.names), dtype=bool)
        writes = np.bincount(calls.cluster[calls.write], minlength=len(self.write_of))
        again = calls.write & ((writes > 1) | self.null)[calls.cluster]
        repeated[calls.key[again]] = True
        return repeated

    def unwritten(self) -> Booleans:
        """For each call whether it read what no call that may have had an effect wrote."""
        unwritten: Booleans = (self.write_of == INITIAL) & ~self.null
        return np.take(unwritten, self.calls.cluster)

    def early(self) -> Booleans:
        """For each call whether it read, and was done, before the write of its value was sent; the last, if repeated."""
        write = self.write_of[self.calls.cluster]
        early: Booleans = (write != INITIAL) & (self.calls.done < self.calls.sent[write])
        return early


def _registers(ops: pd.DataFrame) -> _Registers:
    write = (ops["kind"] == "write").to_numpy(dtype=bool)
    read = (ops["kind"] == "read").to_numpy(dtype=bool)
    ok = (ops["outcome"] == "ok").to_numpy(dtype=bool)
    unknown = (ops["outcome"] == "unknown").to_numpy(dtype=bool)
    row = np.flatnonzero((read & ok) | (write & (ok | unknown)))
    write, unknown = write[row], unknown[row]
    key, names = pd.factorize(ops["key"].iloc[row], use_na_sentinel=False)
    value, values = pd.factorize(ops["value"].iloc[row])  # null becomes -1
    numbers, cluster = np.unique(key * np.int64(len(values) + 1) + value + 1, return_inverse=True)
    moments, times = np.unique(
        np.concatenate([ops["sent_ns"].to_numpy()[row], ops["done_ns"].to_numpy()[row]]), return_inverse=True
    )
    sent, done = times[: len(row)] + 1, times[len(row) :] + 1
    end = len(moments) + 1
    write_of = np.full(len(numbers), INITIAL)
    write_of[cluster[write]] = np.flatnonzero(write)
    return _Registers(
        calls=Calls(key=key, cluster=cluster, write=write, sent=sent, done=np.where(unknown, end, done), end=end),
        row=row,
        names=[str(name) for name in names],
        write_of=write_of,
        null=numbers % (len(values) + 1) == 0,
    )


def _first(calls: Calls, chosen: Booleans) -> int:
    """The chosen call that was done first."""
    positions = np.flatnonzero(chosen)
    return int(positions[np.argmin(calls.done[positions])])


class _Found(NamedTuple):
    """A contradiction: the rank of the time by which it was there, its sentence, the rows of `history.ops` that show it."""

    by: int
    why: str
    ops: tuple[int, ...]


class _Story:
    """The sentences about calls, which are named by their position among the calls that count."""

    def __init__(self, ops: pd.DataFrame, registers: _Registers) -> None:
        self._ops = ops
        self._registers = registers

    def unwritten(self, read: int) -> _Found:
        row = self._row(read)
        key, value = self._ops["key"].iloc[row], self._ops["value"].iloc[row]
        same = (self._ops["kind"] == "write") & (self._ops["key"] == key) & (self._ops["value"] == value)
        failed = np.flatnonzero(same.fillna(False).to_numpy(dtype=bool))  # beside a write of null
        why = f"{self._key(read)}: {self._read(read)}, which was never written"
        if len(failed):
            writer = self._ops["client"].iloc[failed[0]]
            why = f"{self._key(read)}: {self._read(read)}, but client {writer}'s write of it (op {failed[0]}) had failed"
        return self._found(int(self._registers.calls.done[read]), why, [row, *map(int, failed[:1])])

    def early(self, read: int) -> _Found:
        write = int(self._registers.write_of[self._registers.calls.cluster[read]])
        why = f"{self._key(read)}: {self._read(read)} before {self._call(write)} was sent"
        return self._found(int(self._registers.calls.done[read]), why, [self._row(read), self._row(write)])

    def contradiction(self, by: int, calls: Contradiction, positions: Integers) -> _Found:
        """`positions` are those of the calls among which the contradiction was found."""
        four = [calls.older, calls.newer_sent, calls.newer_done, calls.read]
        older, newer_sent, newer_done, read = (INITIAL if call == INITIAL else int(positions[call]) for call in four)
        why = f"{self._key(read)}: {self._read(read)} after {self._past(newer_done)}"
        if older != INITIAL:
            newer = self._call(newer_sent) if newer_sent != newer_done else f"that {self._kind(newer_sent)}"
            why += f", yet {self._value(read)} is the older value: {self._past(older)} before {newer} was sent"
        return self._found(by, why, [self._row(call) for call in (older, newer_sent, newer_done, read) if call != INITIAL])

    def repeated(self, repeated: Booleans) -> str:
        calls = self._registers.calls
        keys = [self._registers.names[key] for key in np.flatnonzero(repeated)]
        rows = self._registers.row[calls.write & repeated[calls.key]]
        writes = self._ops[["key", "value"]].iloc[rows]
        again = writes[(writes["value"].isna() | writes.duplicated(keep=False)).to_numpy(dtype=bool)].iloc[0]
        what = f"{again['value']} was written to key {again['key']} more than once"
        if not isinstance(again["value"], str):
            what = f"null, which every key holds at first, was written to key {again['key']}"
        return f"{what}, so it is not known which write a read saw; undecided: {listed(sorted(keys))}"

    def _found(self, by: int, why: str, rows: list[int]) -> _Found:
        return _Found(by, why, tuple(sorted(set(rows))))

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
        return f"key {self._registers.names[self._registers.calls.key[call]]}"

    def _value(self, call: int) -> str:
        return quoted(self._ops["value"].iloc[self._row(call)])

    def _client(self, call: int) -> int:
        return int(self._ops["client"].iloc[self._row(call)])

    def _row(self, call: int) -> int:
        return int(self._registers.row[call])


def applies(history: History) -> bool:
    """Whether registers were read."""
    return bool((history.ops["kind"] == "read").any())
