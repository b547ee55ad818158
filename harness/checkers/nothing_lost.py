"""Check that acknowledged writes are still there after everything has healed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.checkers._calls import spelled
from harness.checkers._transactions.reading import KIND as TXN
from harness.checkers._transactions.reading import changed_by_transactions
from harness.checkers._wording import count, listed, quoted
from harness.model.history import History
from harness.model.verdict import Verdict

KINDS: Final = ("read", "write")

NEVER: Final = np.iinfo(np.int64).max
BEFORE_ALL: Final = np.iinfo(np.int64).min

_WRITES: Final = ("write", "delete")

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def nothing_lost(history: History) -> Verdict:
    """After healing, no read of a key shows something older than an acknowledged write of it.

    Each answered read of phase "final" shows its key's value v at that time. An acknowledged write w of the key is lost if w
    was sent after v had been written, and was done before that read was sent: then w is the newer one, and gone. v had been
    written when its own write was done, or when some read had found it. A v whose write has an unknown outcome, and which no
    call had read, may have taken effect at any time, so it shows no loss. A null v is older than every write, unless null
    was written or the key deleted. A v that was never written makes the history invalid as well. Keys that are also changed by
    other calls, such as compare-and-set, are not judged: unknown, if nothing is found on the others. O(n log n) for n calls.

    A later write to its key hides a loss. So use more keys than are written after the last fault, as `Registers(keys=500)`;
    of a few keys that are read all the time, `linearizable` sees a loss before the next write.
    """
    calls = _Calls.of(history.ops)
    acked = np.flatnonzero(calls.writes & calls.ok)
    if not len(acked):
        return Verdict(valid=None, why="no write was acknowledged, so nothing could be lost")
    other = np.flatnonzero(~calls.writes & ~calls.reads)
    changed = calls.by_transactions.copy()
    changed[calls.key[other]] = True
    found = _finally_read(calls, ~changed[calls.key])
    mixed = np.unique(calls.key[acked][changed[calls.key[acked]]])
    lost, strange = _lost(calls, acked, found), found.strange(calls)
    if lost or strange:
        rows = sorted({*(one.write for one in lost), *(one.read for one in lost), *strange})
        why = "; ".join([*_lost_sentence(calls, lost), *_strange_sentence(calls, strange)])
        return Verdict(valid=False, why=why, ops=tuple(int(calls.op[row]) for row in rows))
    if len(mixed):
        kinds = listed(sorted({calls.text("kind", row) for row in other[np.isin(calls.key[other], mixed)]})) or TXN
        what = f"what {kinds} did to {count(len(mixed), 'key')} is not known here"
        return Verdict(valid=None, why=f"{what}: {listed(calls.names(mixed))}")
    unread = np.setdiff1d(calls.key[acked], _judged_keys(calls, acked, found.reads))
    if len(unread):
        what = f"{count(len(unread), 'key')} with acknowledged writes had no answered read after healing and after one of them"
        return Verdict(valid=None, why=f"{what}: {listed(calls.names(unread))}")
    return Verdict(
        valid=True,
        why=f"after healing no key is older than an acknowledged write: {count(len(acked), 'write')},"
        f" {count(len(np.unique(calls.key[acked])), 'key')}{_covered(calls, acked, history.windows)}",
    )


def _judged_keys(calls: _Calls, acked: Integers, reads: Integers) -> Integers:
    """The keys of which one of these reads was sent after an acknowledged write was done, so that it could show a loss."""
    first_ns = np.full(int(calls.key.max()) + 1, NEVER)
    np.minimum.at(first_ns, calls.key[acked], calls.done_ns[acked])
    return calls.key[reads[first_ns[calls.key[reads]] < calls.sent_ns[reads]]]


def _covered(calls: _Calls, acked: Integers, windows: pd.DataFrame) -> str:
    """What to add if later writes to every key hide what the faults may have lost: then that the check holds says little."""
    healed_ns = windows["healed_ns"].max()
    if pd.isna(healed_ns):
        return ""
    again = acked[calls.sent_ns[acked] > healed_ns]
    if len(np.unique(calls.key[again])) < len(np.unique(calls.key[acked])):
        return ""
    return ", each written again after the last fault was healed, so only reads before that could show what the faults lost"


@dataclass(frozen=True, kw_only=True)
class _Calls:
    """The calls that may have had an effect, or were answered, as arrays: on small histories pandas is mostly overhead."""

    ops: pd.DataFrame
    op: Integers
    """Each call's row in `ops`."""
    key: Integers
    """A number for each key."""
    by_transactions: Flags
    """By that number, whether transactions may have written the key."""
    pair: Integers
    """A number for each pair of key and value. A delete counts as a write of null."""
    null: Flags
    ok: Flags
    reads: Flags
    writes: Flags
    final: Flags
    sent_ns: Integers
    done_ns: Integers

    @classmethod
    def of(cls, ops: pd.DataFrame) -> _Calls:
        ok, unknown = ((ops["outcome"] == what).to_numpy(dtype=bool) for what in ("ok", "unknown"))
        reads, deletes = ((ops["kind"] == kind).to_numpy(dtype=bool) for kind in ("read", "delete"))
        op = np.flatnonzero(ok | (unknown & ~reads))
        key, names = pd.factorize(ops["key"].fillna("").array[op])
        value, values = pd.factorize(spelled(ops["value"].iloc[op]))
        value[deletes[op]] = -1
        return cls(
            ops=ops,
            op=op,
            key=key,
            by_transactions=changed_by_transactions(ops, pd.Index(names, dtype="string")),
            pair=key * (len(values) + 1) + value,
            null=value < 0,
            ok=ok[op],
            reads=reads[op],
            writes=ops["kind"].isin(_WRITES).to_numpy(dtype=bool)[op],
            final=(ops["phase"] == "final").to_numpy(dtype=bool)[op],
            sent_ns=ops["sent_ns"].to_numpy()[op],
            done_ns=ops["done_ns"].to_numpy()[op],
        )

    def text(self, column: str, row: int) -> str:
        value = self.ops[column].iloc[self.op[row]]
        return "" if pd.isna(value) else str(value)

    def names(self, keys: Integers) -> list[str]:
        """The keys with these numbers, sorted."""
        found = np.unique(self.key, return_index=True)
        return sorted(self.text("key", row) for row in found[1][np.isin(found[0], keys)])


class _Read(NamedTuple):
    """The answered reads after healing, and the latest time by which the value that each found had been written.

    `written_ns` is `NEVER` if it may have been written at any time, `BEFORE_ALL` for a key's initial null. It is not `known` if
    the value was not written before the read was done.
    """

    reads: Integers
    written_ns: Integers
    known: Flags

    def strange(self, calls: _Calls) -> list[int]:
        """Of each key, the first read of what was never written."""
        rows = self.reads[~self.known]
        return sorted(rows[np.unique(calls.key[rows], return_index=True)[1]].tolist())


def _finally_read(calls: _Calls, judged: Flags) -> _Read:
    reads, writes = np.flatnonzero(judged & calls.reads), np.flatnonzero(judged & calls.writes)
    final = reads[calls.final[reads]]
    ends_ns = np.where(calls.ok[writes], calls.done_ns[writes], NEVER)
    ends_ns = np.minimum(ends_ns, _seen_ns(calls, reads, writes))
    order = np.argsort(calls.pair[writes], kind="stable")
    begin, end = (np.searchsorted(calls.pair[writes][order], calls.pair[final], side=side) for side in ("left", "right"))
    many = end - begin
    read = np.repeat(np.arange(len(final)), many)  # every final read, with every write of what it found
    write = order[np.arange(len(read)) + np.repeat(begin - np.cumsum(many) + many, many)]
    in_time = calls.sent_ns[writes[write]] <= calls.done_ns[final[read]]
    written_ns = np.full(len(final), BEFORE_ALL)
    np.maximum.at(written_ns, read[in_time], ends_ns[write[in_time]])
    known = calls.null[final]
    known[read[in_time]] = True
    return _Read(final, written_ns, known)


def _seen_ns(calls: _Calls, reads: Integers, writes: Integers) -> Integers:
    """When the value of each write had first been read; `NEVER` if it had not, or may have been another write's."""
    seen_ns = np.full(len(writes), NEVER)
    pairs, first, times = np.unique(calls.pair[writes], return_index=True, return_counts=True)
    only = (times == 1) & ~calls.null[writes[first]]
    pairs, first = pairs[only], first[only]
    at = np.searchsorted(pairs, calls.pair[reads])
    there = at < len(pairs)
    there[there] = pairs[at[there]] == calls.pair[reads[there]]
    write, read = first[at[there]], reads[there]
    after = calls.done_ns[read] >= calls.sent_ns[writes[write]]
    np.minimum.at(seen_ns, write[after], calls.done_ns[read[after]])
    return seen_ns


class _Lost(NamedTuple):
    """An acknowledged write that is gone, and the read that shows it."""

    write: int
    read: int


def _lost(calls: _Calls, acked: Integers, found: _Read) -> list[_Lost]:
    """The acknowledged writes that are gone, each with the read that shows it, which is one for each key."""
    # Of the writes that were sent after the value had been written, was the first to be done in time for the read?
    order = acked[np.lexsort((calls.sent_ns[acked], calls.key[acked]))]
    keys = calls.key[order]
    first_ns = _first_done_from_there_on(keys, calls.done_ns[order])
    reads, written_ns = found.reads[found.known], found.written_ns[found.known]
    times_ns, rank = np.unique(np.concatenate([calls.sent_ns[order], written_ns]), return_inverse=True)
    place = np.concatenate([keys, calls.key[reads]]) * len(times_ns) + rank
    at = np.searchsorted(place[: len(order)], place[len(order) :], side="right")
    wrong = at < len(order)
    next_write = at[wrong]
    wrong[wrong] = (keys[next_write] == calls.key[reads[wrong]]) & (first_ns[next_write] < calls.sent_ns[reads[wrong]])
    lost: list[_Lost] = []
    shown = set[int]()
    for place_of_read in np.flatnonzero(wrong)[np.lexsort((written_ns[wrong], calls.sent_ns[reads[wrong]]))]:
        read, key = reads[place_of_read], calls.key[reads[place_of_read]]
        if key not in shown:
            shown.add(key)
            writes = order[np.searchsorted(keys, key) : np.searchsorted(keys, key, side="right")]
            gone = (calls.sent_ns[writes] > written_ns[place_of_read]) & (calls.done_ns[writes] < calls.sent_ns[read])
            lost += [_Lost(int(write), int(read)) for write in writes[gone]]
    return sorted(lost)


def _first_done_from_there_on(key: Integers, done_ns: Integers) -> Integers:
    """The smallest time from each place on among those of the same key, which lie together."""
    times_ns, rank = np.unique(done_ns[::-1], return_inverse=True)
    part = np.cumsum(np.diff(key[::-1], prepend=key[-1:]) != 0) * len(times_ns)
    first: Integers = times_ns[np.minimum.accumulate(rank - part) + part][::-1]  # each part lies below the one before
    return first


def _lost_sentence(calls: _Calls, lost: list[_Lost]) -> list[str]:
    if not lost:
        return []
    write, read = lost[0]
    keys = listed(sorted({calls.text("key", one.write) for one in lost}))
    kind, value, key = calls.text("kind", write), quoted(_value(calls, write)), calls.text("key", write)
    what = f"client {calls.text('client', write)}'s {kind} of {value} to {key} (op {calls.op[write]})"
    older = "nothing" if calls.null[read] else f"the older {calls.text('value', read)}"
    return [
        f"{count(len(lost), 'acknowledged write')} lost on {keys}: {what} was acknowledged,"
        f" yet a read after healing found {older} (op {calls.op[read]})"
    ]


def _value(calls: _Calls, row: int) -> object:
    return pd.NA if calls.null[row] else calls.text("value", row)


def _strange_sentence(calls: _Calls, strange: list[int]) -> list[str]:
    told = [f"{calls.text('key', row)} reads {calls.text('value', row)} (op {calls.op[row]})" for row in strange]
    return [f"{count(len(strange), 'key')} with a value that was never written: {listed(told)}"] if told else []


def applies(history: History) -> bool:
    """Whether something was written, and calls were made after healing."""
    return bool(history.ops["kind"].isin(_WRITES).any()) and bool((history.ops["phase"] == "final").any())
