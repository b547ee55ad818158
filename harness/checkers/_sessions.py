"""Reads and writes of registers by client: shared parts of the checkers of consistency weaker than linearizability.

A client is a session. The calls that count are answered reads, and writes that were acknowledged or have an unknown outcome. A
client's calls are in *session order*. A write of unknown outcome comes after the client's earlier calls, but no call comes
after it, because it may take effect at any time. A write comes before the reads of its value. The transitive closure of both
is *causal order*.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from harness.checkers._calls import spelled
from harness.checkers._cycles import first_cycle
from harness.checkers._timeline import NONE, Booleans, Integers, Timeline
from harness.checkers._transactions.reading import changed_by_transactions
from harness.checkers._wording import count, listed, quoted
from harness.model.history import History
from harness.model.verdict import Verdict
from harness.model.vocabulary import READ, WRITE

INITIAL: Final = -1
"""The source of a read that found a key's initial value."""
THIN_AIR: Final = -2
"""The source of a read that found a value that no call can have written by then."""

MOST_OPS: Final = 20


@dataclass(frozen=True, kw_only=True)
class Sessions:
    """The calls that count, client by client in session order. All fields but the last three have one position per call."""

    row: Integers
    """Its place in `history.ops`."""
    client: Integers
    key: Integers
    write: Booleans
    chained: Booleans
    """Whether its client's later calls come after it; False for a write of unknown outcome."""
    before: Integers
    """The call before it in session order, `NONE` for the first."""
    source: Integers
    """For a read, the write that it read from, or `INITIAL` or `THIN_AIR`; `NONE` for a write."""
    keys: list[str]
    clients: int
    undecided: str | None
    """Why some keys were left out."""

    def edges(self) -> tuple[Integers, Integers]:
        """The edges of session order, and from writes to the reads of their values."""
        later = np.flatnonzero(self.before != NONE)
        reads = np.flatnonzero(~self.write & (self.source >= 0))
        return np.concatenate([self.before[later], self.source[reads]]), np.concatenate([later, reads])


class Overlapping(Exception):
    """A client has two calls in flight at once, so its calls have no order."""


def sessions(history: History) -> Sessions:
    """The sessions of a history. Raises `Overlapping` naming a client whose calls overlap."""
    ops = history.ops
    write = (ops["kind"] == WRITE).to_numpy(dtype=bool)
    read = (ops["kind"] == READ).to_numpy(dtype=bool)
    ok = (ops["outcome"] == "ok").to_numpy(dtype=bool)
    effect = (ops["outcome"] != "failed").to_numpy(dtype=bool)
    key, names = pd.factorize(ops["key"], use_na_sentinel=False)
    left_out, undecided = _left_out(ops, key.astype(np.int64), names)
    sent, done = ops["sent_ns"].to_numpy(), ops["done_ns"].to_numpy()
    chosen = np.flatnonzero(((read & ok) | (write & effect)) & ~left_out[key])
    client, clients = pd.factorize(ops["client"].to_numpy()[chosen], sort=True)
    order = np.lexsort((done[chosen], sent[chosen], client))
    row, client = chosen[order], client[order].astype(np.int64)
    _refuse_overlaps(ops, row, client, sent, done)
    chained = ok[row]
    place = np.arange(len(row))
    latest = np.maximum.accumulate(np.where(chained, place, NONE)) if len(row) else place
    before = np.concatenate([[NONE], latest[:-1]]) if len(row) else place
    before = np.where((before != NONE) & (client[before] == client), before, NONE)
    return Sessions(
        row=row,
        client=client,
        key=key[row].astype(np.int64),
        write=write[row],
        chained=chained,
        before=before,
        source=_sources(ops["value"].iloc[row], key[row], write[row], sent[row], done[row]),
        keys=["null" if pd.isna(name) else str(name) for name in names],
        clients=len(clients),
        undecided=undecided,
    )


def _left_out(ops: pd.DataFrame, key: Integers, names: pd.Index) -> tuple[Booleans, str | None]:
    """A mask of the keys whose reads cannot be attributed to one write, and the reason for the first of them."""
    effect = (ops["outcome"] != "failed").to_numpy(dtype=bool)
    write = (ops["kind"] == WRITE).to_numpy(dtype=bool) & effect
    other = effect & ~ops["kind"].isin([READ, WRITE]).to_numpy(dtype=bool)
    null = write & ops["value"].isna().to_numpy(dtype=bool)
    again = np.zeros(len(ops), dtype=bool)
    written = ops[["key", "value"]][write]
    again[write] = written.assign(value=spelled(written["value"])).duplicated().to_numpy(dtype=bool)
    left_out: Booleans = changed_by_transactions(ops, names)
    left_out[key[other | null | again]] = True
    if not left_out.any():
        return left_out, None
    first = int(np.flatnonzero(other | null | again)[0])
    call = ops.iloc[first]
    what = f"{quoted(call['value'])} was written to {call['key']} more than once (op {first})"
    if null[first]:
        what = f"null, which every key holds at first, was written to {call['key']} (op {first})"
    if other[first]:
        what = f"{call['key']} has a call of kind {call['kind']} (op {first})"
    undecided = listed(sorted(str(name) for name in names[left_out]))
    return left_out, f"{what}, so it is not known which write a read saw; undecided: {undecided}"


def _refuse_overlaps(ops: pd.DataFrame, row: Integers, client: Integers, sent: Integers, done: Integers) -> None:
    overlap = (client[1:] == client[:-1]) & (sent[row[1:]] < done[row[:-1]])
    if overlap.any():
        at = int(np.flatnonzero(overlap)[0])
        name = ops["client"].iloc[row[at]]
        raise Overlapping(
            f"client {name} sent op {row[at + 1]} before op {row[at]} was done: a session makes one call at a time, so give"
            " each session its own client number"
        )


def _sources(values: pd.Series, key: Integers, write: Booleans, sent: Integers, done: Integers) -> Integers:
    number, texts = pd.factorize(spelled(values))  # null becomes -1
    both = key * np.int64(len(texts) + 1) + number + 1
    writes = np.flatnonzero(write)
    writes = writes[np.argsort(both[writes], kind="stable")]
    source = np.full(len(both), THIN_AIR)
    if len(writes):
        at = np.minimum(np.searchsorted(both[writes], both), len(writes) - 1)
        found = (both[writes][at] == both) & (sent[writes[at]] <= done)
        source[found] = writes[at[found]]
    source[number == -1] = INITIAL
    source[write] = NONE
    return source


def parts(found: Sessions) -> list[Sessions]:
    """The sessions split into parts without common keys, each of which can be judged by itself."""
    group = _connected(found)
    pieces = []
    ends = np.cumsum(np.bincount(group))
    for rows in np.split(np.argsort(group, kind="stable"), ends[:-1]):
        place = np.full(len(found.row) + 1, NONE)
        place[rows] = np.arange(len(rows))
        _, client = np.unique(found.client[rows], return_inverse=True)
        source = found.source[rows]
        pieces.append(
            replace(
                found,
                row=found.row[rows],
                client=client.astype(np.int64),
                key=found.key[rows],
                write=found.write[rows],
                chained=found.chained[rows],
                before=place[found.before[rows]],
                source=np.where(source >= 0, place[source], source),
                clients=int(client.max(initial=-1)) + 1,
            )
        )
    return pieces


def _connected(found: Sessions) -> Integers:
    """The number of each call's part: calls connect clients and keys."""
    leader = list(range(found.clients + len(found.keys)))

    def root(at: int) -> int:
        while leader[at] != at:
            leader[at] = leader[leader[at]]
            at = leader[at]
        return at

    pairs = np.unique(np.column_stack([found.client, found.key]), axis=0)
    for client, key in pairs.tolist():
        leader[root(found.clients + key)] = root(client)
    roots = np.array([root(client) for client in range(found.clients)], dtype=np.int64)
    _, group = np.unique(roots, return_inverse=True)
    numbers: Integers = group[found.client]
    return numbers


# -------------------------------------------------------------------------------------------------------------- verdicts

Requirement = Callable[[Sessions], tuple[Integers, Integers]]
"""Pairs of positions, of a write and of a read of the same key: the write must not be newer than the value that was read."""


def judged(history: History, promise: str, requirement: Requirement, unasked: str) -> Verdict:
    """The verdict if no read may find a value older than the writes that `requirement` names.

    The history is valid if there is an order of all calls that keeps causal order and in which each required write comes before
    the write that was read, or is the same write. Such an order exists exactly if these constraints have no cycle. If no read
    must see a write, the verdict is unknown, and `unasked` says what no client did.
    """
    try:
        found = sessions(history)
    except Overlapping as error:
        return Verdict(valid=None, why=str(error))
    story = Story(history, found)
    if (first := story.first()) is not None:
        return first
    older, read = requirement(found)
    if not older.size:
        return story.nothing(unasked)
    apart = found.source[read] != older
    older, read = older[apart], read[apart]
    if (initial := np.flatnonzero(found.source[read] == INITIAL)).size:
        return story.initial(promise, initial.size, int(older[initial[0]]), int(read[initial[0]]))
    so_source, so_target = found.edges()
    source, target = np.concatenate([so_source, older]), np.concatenate([so_target, found.source[read]])
    cycle = first_cycle(len(found.row), source, target)
    return story.valid(promise) if cycle is None else story.cycle(promise, *cycle)


class Story:
    """Verdicts on sessions, with sentences that name the calls."""

    def __init__(self, history: History, found: Sessions) -> None:
        self._ops = history.ops
        self._sessions = found

    def first(self) -> Verdict | None:
        """The verdict if an impossible value was read, or if nothing was read; None if there is more to judge."""
        found = self._sessions
        strange = np.flatnonzero(found.source == THIN_AIR)
        if strange.size:
            why = f"{count(strange.size, 'read')} of a value never written, or not yet: {self.call(int(strange[0]))}"
            return Verdict(valid=False, why=why, ops=self.rows(strange[:1].tolist()))
        if found.write.all():
            return self.nothing("no read was answered")
        return None

    def first_of_causes(self) -> Verdict | None:
        """As `first`; and unknown if no read has a write of its key as a cause."""
        if (verdict := self.first()) is not None:
            return verdict
        if (self._sessions.source >= 0).any() or own_writes(self._sessions)[0].size:
            return None
        return self.nothing("no read found a value, and no client read a key to which it had written before")

    def nothing(self, unasked: str) -> Verdict:
        """The verdict if no read can be wrong, because clients did not do what would show it."""
        return Verdict(valid=None, why=self._sessions.undecided or f"{unasked}, so nothing could show what clients see")

    def initial(self, promise: str, number: int, older: int, read: int) -> Verdict:
        """The verdict on reads of the initial value that must see a write."""
        why = f"{count(number, 'read')} not {promise}: {self.call(read)}, though it must see {self.call(older)}"
        return Verdict(valid=False, why=why, ops=self.rows([older, read]))

    def cycle(self, promise: str, cycle: list[int], number: int) -> Verdict:
        """The verdict on calls that cannot be ordered."""
        told = ", then ".join(self.call(at) for at in cycle[:6])
        more = "" if len(cycle) <= 6 else f", and {len(cycle) - 6:,} more"
        why = f"not {promise}: {count(number, 'call')} cannot be ordered; {told}{more}, then the first again"
        readers = np.flatnonzero(np.isin(self._sessions.source, cycle))[:MOST_OPS].tolist()
        return Verdict(valid=False, why=why, ops=self.rows([*cycle[:MOST_OPS], *readers]))

    def valid(self, promise: str) -> Verdict:
        """The verdict if nothing was wrong; unknown if keys were left out."""
        found = self._sessions
        if found.undecided is not None:
            return Verdict(valid=None, why=found.undecided)
        reads = int((~found.write).sum())
        return Verdict(valid=True, why=f"{count(reads, 'read')} of {count(found.clients, 'client')} are {promise}")

    def call(self, at: int) -> str:
        row = self._ops.iloc[int(self._sessions.row[at])]
        verb = "wrote" if self._sessions.write[at] else "read"
        where = "to" if self._sessions.write[at] else "from"
        return f"client {row['client']} {verb} {quoted(row['value'])} {where} {row['key']} (op {int(self._sessions.row[at])})"

    def rows(self, positions: list[int]) -> tuple[int, ...]:
        return tuple(sorted({int(self._sessions.row[at]) for at in positions}))


# --------------------------------------------------------------------------------------------------------- what was seen


def latest(found: Sessions, chosen: Booleans, of_client: Integers, of_key: Integers, place: Integers) -> Integers:
    """The last of the chosen calls of each client on each key that comes before a place in the sessions; `NONE` if none."""
    points = np.flatnonzero(chosen)
    keys = len(found.keys)
    timeline = Timeline(found.client[points] * keys + found.key[points], points)
    at = timeline.greatest_before(points, of_client * keys + of_key, place)
    return np.where(at == NONE, NONE, points[at]) if len(points) else at


def own_writes(found: Sessions) -> tuple[Integers, Integers]:
    """The reads of keys to which the same client had written before: the last such acknowledged write, and the read."""
    reads = np.flatnonzero(~found.write)
    own = latest(found, found.write & found.chained, found.client[reads], found.key[reads], reads)
    return own[own != NONE], reads[own != NONE]


def seen_writes(found: Sessions, reads: Integers) -> Integers:
    """For each read and each client (shaped reads x clients): the last write of that client that the reader had read before.

    Calls are in session order, client by client, so the last write is the one with the highest position; `NONE` if none.
    """
    seen = np.full((len(found.row) + 1, found.clients), NONE, dtype=np.int32)
    sourced = np.flatnonzero(found.source >= 0)
    seen[sourced + 1, found.client[found.source[sourced]]] = found.source[sourced]
    for client in range(found.clients):
        begin, end = np.searchsorted(found.client, [client, client + 1])
        seen[begin] = NONE  # this row belongs to the previous client's last read
        if begin < end:
            seen[begin:end] = np.maximum.accumulate(seen[begin:end], axis=0)
    return seen[reads].astype(np.int64)
