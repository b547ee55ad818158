"""Check that at most one client holds a lock at a time."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from harness.checkers._calls import NEVER, Mixed, calls, codes, has, refused
from harness.checkers._timeline import NONE, Integers, Timeline
from harness.checkers._wording import count
from harness.model.history import History
from harness.model.verdict import Verdict
from harness.model.vocabulary import ACQUIRE, KNOWN, RELEASE

KINDS: Final = (ACQUIRE, RELEASE)


def mutual_exclusion(history: History) -> Verdict:
    """No two clients hold a lock at the same time.

    Judges `acquire` and `release` calls. A client certainly holds the lock from the answer to its `acquire` until it sends its
    next `release` of it, or for good if it never does. A release that failed or was refused (`false`) changes nothing, one
    of unknown outcome may have ended the holding as soon as it was sent, and an acquire of unknown outcome proves nothing.
    Locks are not reentrant: a client that holds one does not get it again. A lock that expires by itself is judged in the
    same way, since its holder does not know: `fencing_tokens` make that harmless. Unknown if a client made two such calls at
    once, unless something is wrong all the same.

    O(n log n). The anomaly is described in M. Kleppmann, "How to do distributed locking", 2016.
    """
    taken = calls(history, [ACQUIRE])
    taken = taken[~refused(taken)]
    if taken.empty:
        return Verdict(valid=None, why="no lock was acquired")
    mixed = Mixed.of(history.ops, KNOWN, taken["key"])
    taken = mixed.without(taken)
    if taken.empty:
        return mixed.verdict()
    given = calls(history, [RELEASE], ("ok", "unknown"))
    given = given[~refused(given)]
    both = pd.concat([taken, given])
    lock, names = codes(both["key"])
    client, clients = codes(both["client"].astype("string"))
    holder = lock * len(clients) + client
    in_turn = np.lexsort((both.index, both["done_ns"], both["sent_ns"]))
    place = np.empty(len(both), dtype=np.int64)  # the order of each client's calls, even of those that touch in time
    place[in_turn] = np.arange(len(both))
    begin = taken["done_ns"].to_numpy()
    releases = Timeline(holder[len(taken) :], place[len(taken) :])
    next_release = releases.first_from(holder[: len(taken)], place[: len(taken)])
    end = np.full(len(taken), NEVER)
    end[next_release != NONE] = given["sent_ns"].to_numpy()[next_release[next_release != NONE]]
    lock = lock[: len(taken)]
    order = np.lexsort((end, begin, lock))
    # Of those that began earlier, the one that is held longest overlaps if any does.
    rank = np.arange(len(order))
    longest = Timeline(lock[order], rank).greatest_before(end[order], lock[order], rank)
    overlap = np.flatnonzero((longest != NONE) & (end[order][longest] > begin[order]))
    if not len(overlap) and mixed.keys:
        return mixed.verdict()
    if not len(overlap) and (unclear := _two_at_once(both, holder, in_turn)):
        return Verdict(valid=None, why=unclear)
    if not len(overlap):
        released = int((next_release != NONE).sum())
        return Verdict(
            valid=True,
            why=f"{count(len(names), 'lock')}, acquired {count(len(taken), 'time')} and released {count(released, 'time')},"
            " never held twice",
        )
    at = overlap[np.argmin(begin[order][overlap])]
    later, earlier = order[at], order[longest[at]]
    one, other = taken.iloc[earlier], taken.iloc[later]
    until = "and never released it" if end[earlier] == NEVER else f"and held it until {end[earlier] / 1e9:.3f} s"
    who = "again" if one["client"] == other["client"] else f"by client {other['client']}"
    shown = [taken.index[earlier], taken.index[later]]
    shown += [given.index[next_release[hold]] for hold in (earlier, later) if next_release[hold] != NONE]
    return Verdict(
        valid=False,
        why=f"{one['key']} was held twice: client {one['client']} had acquired it by {begin[earlier] / 1e9:.3f} s (op"
        f" {taken.index[earlier]}) {until}; it was acquired {who} by {begin[later] / 1e9:.3f} s (op {taken.index[later]});"
        f" {count(len(overlap), 'time')} in all",
        ops=tuple(sorted({int(row) for row in shown})),
    )


def _two_at_once(both: pd.DataFrame, holder: Integers, in_turn: Integers) -> str | None:
    """Say that a client had two calls about a lock under way at once, so that it is not known what it released; None if not."""
    rows = in_turn[np.argsort(holder[in_turn], kind="stable")]
    sent, done = both["sent_ns"].to_numpy()[rows], both["done_ns"].to_numpy()[rows]
    at_once = np.flatnonzero((holder[rows][1:] == holder[rows][:-1]) & (sent[1:] < done[:-1]))
    if not len(at_once):
        return None
    first, second = both.iloc[rows[at_once[0]]], both.iloc[rows[at_once[0] + 1]]
    return (
        f"client {first['client']} sent op {second.name} before op {first.name} was done: a client makes one call at a time, so"
        " give each thread its own client number"
    )


def applies(history: History) -> bool:
    """Whether locks were taken."""
    return has(history, ACQUIRE)
