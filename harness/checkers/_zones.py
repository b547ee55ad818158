"""Contradictions among the reads and writes of registers whose written values are unique, in O(n log n).

Source: P. B. Gibbons and E. Korach, "Testing Shared Memories", SIAM Journal on Computing 26(4), 1997, pp. 1208-1244: the
problem of verifying linearizability when it is known which write each read saw.

A write and the reads that saw its value form a *cluster*. Values are unique, so a linearization keeps each cluster
together: no read sees the value before its write or after the next one. Let `first_done` be the earliest end and `last_sent`
the latest beginning among a cluster's calls. Cluster A must come before cluster B as soon as one call of A was done before
one of B was sent: `A.first_done < B.last_sent`. The history is linearizable exactly if no two clusters must each come
before the other. (Longer cycles need no search: of any three clusters in a cycle, two already contradict each other.)

A cluster with `first_done < last_sent` is a *forward* zone: its value held all through that time. Any other is a *backward*
zone. Two forward zones contradict each other if they overlap; a backward zone contradicts a forward zone that it lies
strictly inside of; two backward zones never do. Calls that touch in time are concurrent, so every comparison is strict.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
import pandas as pd

Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

BEFORE_ALL = 0
"""The time at which every key held its initial value; every call's times are later."""

INITIAL = -1
"""The position of the imaginary write of the initial value."""


@dataclass(frozen=True, kw_only=True)
class Calls:
    """Reads and writes, one position per call. Times are ranks from 1 up: equal times have equal ranks.

    `cluster` numbers the values of each key, from 0 without gaps. `end` is later than every time, and is the `done` of a write
    of unknown outcome, which may still take effect.
    """

    key: Integers
    cluster: Integers
    write: Booleans
    sent: Integers
    done: Integers
    end: int

    def among(self, chosen: Booleans) -> Calls:
        """Only the chosen calls, their clusters numbered anew."""
        if chosen.all():
            return self
        cluster, _ = pd.factorize(self.cluster[chosen])
        return Calls(
            key=self.key[chosen],
            cluster=cluster,
            write=self.write[chosen],
            sent=self.sent[chosen],
            done=self.done[chosen],
            end=self.end,
        )


@dataclass(frozen=True, kw_only=True)
class Contradiction:
    """Four calls that no order explains, as positions; several may be the same call, and the first may be `INITIAL`.

    `older` was done before `newer_sent` was sent, so the value of `read` is the older one; yet `newer_done` was done before
    `read` was sent, and `read` found the older value. `older` and `read` share a value, the two others share another.
    """

    older: int
    newer_sent: int
    newer_done: int
    read: int


class Zones:
    """The clusters of some calls, prepared for queries about contradictions by a given time.

    Each cluster has exactly one write, sent before any read of the value was done, or consists only of reads of the initial
    value.
    """

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        clusters = int(calls.cluster.max(initial=-1)) + 1
        writes = np.flatnonzero(calls.write)
        self._write = np.full(clusters, INITIAL)
        self._write[calls.cluster[writes]] = writes
        self._write_sent, self._write_done = np.full((2, clusters), BEFORE_ALL)
        self._write_sent[calls.cluster[writes]] = calls.sent[writes]
        self._write_done[calls.cluster[writes]] = calls.done[writes]
        # Keys are laid end to end on one line of time, and so are clusters: one sort then serves them all.
        self._span = calls.end + 1
        self._key = np.zeros(clusters, dtype=np.int64)
        self._key[calls.cluster] = calls.key
        reads = np.flatnonzero(~calls.write)
        line = calls.cluster[reads] * self._span
        order = np.argsort(line + calls.done[reads])
        self._reads, line = reads[order], line[order]
        self._line_done = line + calls.done[self._reads]
        self._latest_sent = np.maximum.accumulate(line + calls.sent[self._reads]) - line
        self._begin = np.searchsorted(self._line_done, np.arange(clusters) * self._span)

    def conflicts(self, by: int, clusters: Integers | None = None) -> Integers:
        """Pairs of clusters that contradict each other, shaped (n, 2), by the reads done by then; empty if there are none.

        The first of a pair has the earlier `first_done`. Every key with a contradiction has at least one pair. With `clusters`,
        only these are examined.
        """
        chosen = np.arange(len(self._write)) if clusters is None else clusters
        first_done, last_sent = self._zones(by, chosen)
        is_forward = first_done < last_sent
        forward, backward = np.flatnonzero(is_forward), np.flatnonzero(~is_forward)
        forward = forward[np.argsort(first_done[forward], kind="stable")]
        # In this order, two forward zones overlap somewhere only if two neighbours do.
        overlap = first_done[forward[1:]] < last_sent[forward[:-1]]
        # If none overlap, only the last forward zone that begins before a backward one can hold it.
        around = np.searchsorted(first_done[forward], last_sent[backward], side="left") - 1
        inside = np.zeros(len(backward), dtype=bool)
        if len(forward):
            inside = (around >= 0) & (first_done[backward] < last_sent[forward[around]])
        pairs: Integers = np.concatenate(
            [
                np.column_stack([forward[:-1][overlap], forward[1:][overlap]]),
                np.column_stack([forward[around[inside]], backward[inside]]),
            ]
        )
        found: Integers = chosen[pairs]
        return found

    def keys(self, pairs: Integers) -> Integers:
        """The keys of pairs of clusters."""
        return np.unique(self._key[pairs.ravel()])

    def earliest(self, pairs: Integers) -> tuple[int, Contradiction]:
        """The first time by which some calls contradict each other, and those calls; `pairs` are the contradictions at the end.

        A contradiction stays, whatever comes later, so bisection finds the time.
        """
        clusters = np.flatnonzero(np.isin(self._key, self.keys(pairs)))
        early, late = BEFORE_ALL, self.calls.end
        while early < late:
            middle = (early + late) // 2
            found = self.conflicts(middle, clusters)
            if len(found):
                late, pairs = middle, found
            else:
                early = middle + 1
        return late, self._contradiction(late, *map(int, pairs[0]))

    def _zones(self, by: int, clusters: Integers) -> tuple[Integers, Integers]:
        begin = self._begin[clusters]
        last = np.searchsorted(self._line_done, clusters * self._span + by, side="right") - 1
        seen = last >= begin
        first_done, last_sent = self._write_done[clusters], self._write_sent[clusters]
        done = self._line_done[begin[seen]] - clusters[seen] * self._span
        first_done[seen] = np.minimum(first_done[seen], done)
        last_sent[seen] = np.maximum(last_sent[seen], self._latest_sent[last[seen]])
        line = self._key[clusters] * self._span
        return line + first_done, line + last_sent

    def _contradiction(self, by: int, one: int, other: int) -> Contradiction:
        """The fewest calls that show why two clusters contradict each other, by the reads done by then."""

        def ordered(before: int, after: int) -> list[tuple[int, int]]:
            return [
                (a, b) for a, b in product(self._telling(before, by), self._telling(after, by)) if self._done(a) < self._sent(b)
            ]

        def cost(four: tuple[tuple[int, int], tuple[int, int]]) -> tuple[int, int, int]:
            calls = {*four[0], *four[1]} - {INITIAL}
            return len(calls), sum(not self.calls.write[call] for call in calls), sum(calls)

        (older, newer_sent), (newer_done, read) = min(product(ordered(one, other), ordered(other, one)), key=cost)
        # `one` was the first to be done, so its call that was sent too late is a read. If the other's is one too, the later
        # of them is told as the one that is wrong: until then the other order was possible.
        if not self.calls.write[newer_sent] and self._done(newer_sent) > self._done(read):
            older, newer_sent, newer_done, read = newer_done, read, older, newer_sent
        return Contradiction(older=older, newer_sent=newer_sent, newer_done=newer_done, read=read)

    def _telling(self, cluster: int, by: int) -> set[int]:
        """The most telling calls of a cluster: its write, its earliest done read and its latest sent read."""
        begin = int(self._begin[cluster])
        end = int(np.searchsorted(self._line_done, cluster * self._span + by, side="right"))
        telling = {int(self._write[cluster])}
        if begin < end:
            reads = self._reads[begin:end]
            telling |= {int(reads[0]), int(reads[np.argmax(self.calls.sent[reads])])}
        return telling

    def _sent(self, call: int) -> int:
        return BEFORE_ALL if call == INITIAL else int(self.calls.sent[call])

    def _done(self, call: int) -> int:
        return BEFORE_ALL if call == INITIAL else int(self.calls.done[call])
