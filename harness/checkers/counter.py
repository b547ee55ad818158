"""Check that counters show what was added to them."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from harness.checkers._calls import Mixed, NotNumbers, calls, codes, has, on_keys_with, on_other_keys, whole_numbers
from harness.checkers._timeline import Integers, Timeline
from harness.checkers._wording import count
from harness.model.history import History
from harness.model.verdict import Verdict
from harness.model.vocabulary import DECREMENT, INCREMENT, READ

KINDS: Final = (INCREMENT, DECREMENT)


def counter(history: History) -> Verdict:
    """Each read of a counter lies between the least and the greatest sum that the calls before it allow.

    Judges `increment`, `decrement` and `read` calls on keys that are incremented or decremented; a counter begins at 0. An
    increment that was acknowledged before the read was sent counts. One that was sent before the read was done, and was not
    acknowledged by then or has an unknown outcome, may or may not count. A failed one does not. Calls whose times touch are
    concurrent. A counter that other calls may have changed, such as a write, is not judged: unknown, if no other is wrong.
    Every read is judged by itself: `linearizable` finds cases where a read counted an increment and a later one did not.

    O(n log n). After Jepsen's checker "counter".
    """
    added = calls(history, [INCREMENT, DECREMENT], ("ok", "unknown"))
    tried = calls(history, [INCREMENT, DECREMENT], ("ok", "unknown", "failed"))
    reads = calls(history, [READ])
    reads = reads[reads["key"].isin(tried["key"].unique()).to_numpy(dtype=bool)]
    if reads.empty:
        return Verdict(valid=None, why="no read of a counter was answered")
    mixed = Mixed.of(history.ops, (INCREMENT, DECREMENT, READ), reads["key"])
    reads = mixed.without(reads)
    if reads.empty:
        return mixed.verdict()
    added, reads = added.assign(value=added["value"].fillna("1")), reads.assign(value=reads["value"].fillna("0"))
    undecided = mixed.verdict() if mixed.keys else None
    try:
        amount, found = whole_numbers(added), whole_numbers(reads)
    except NotNumbers as error:
        undecided = Verdict(valid=None, why=str(error))
        added, reads = on_other_keys(added, added, reads), on_other_keys(reads, added, reads)
        amount, found = whole_numbers(added), whole_numbers(reads)
    amount = np.where(added["kind"] == DECREMENT, -amount, amount)
    if np.abs(amount).astype(float).sum() >= 2**62:
        return Verdict(valid=None, why="the sum of all increments has more than 62 bits")
    low, high = _bounds(added, amount, reads)
    wrong = np.flatnonzero((found < low) | (found > high))
    if not len(wrong) and undecided is not None:
        return undecided
    if not len(wrong):
        inexact = int((low < high).sum())
        return Verdict(
            valid=True,
            why=f"{count(len(reads), 'read')} within what the increments allow, {inexact:,} of them between two bounds",
        )
    first = int(wrong[np.argmin(reads["done_ns"].to_numpy()[wrong])])
    read = reads.iloc[first]
    allowed = f"{low[first]}" if low[first] == high[first] else f"{low[first]} to {high[first]}"
    return Verdict(
        valid=False,
        why=f"{count(len(wrong), 'read')} of {len(reads):,} out of bounds: client {read['client']} read {found[first]} from"
        f" {read['key']} (op {reads.index[first]}), and {allowed} is right",
        ops=tuple(int(reads.index[at]) for at in wrong[:10]),
    )


def _bounds(added: pd.DataFrame, amount: Integers, reads: pd.DataFrame) -> tuple[Integers, Integers]:
    """The least and the greatest sum that each read may show."""
    key, _ = codes(pd.concat([added["key"], reads["key"]]))
    of_added, of_reads = key[: len(added)], key[len(added) :]
    sent, done = reads["sent_ns"].to_numpy(), reads["done_ns"].to_numpy()
    ok = (added["outcome"] == "ok").to_numpy(dtype=bool)
    certain = Timeline(of_added[ok], added["done_ns"].to_numpy()[ok])
    possible = Timeline(of_added, added["sent_ns"].to_numpy())
    bounds = []
    for part in (np.minimum(amount, 0), np.maximum(amount, 0)):
        counted = certain.sum_before(amount[ok] - part[ok], of_reads, sent)
        bounds.append(counted + possible.sum_before(part, of_reads, done, touching=True))
    return bounds[0], bounds[1]


def judges(ops: pd.DataFrame) -> pd.Series[bool]:
    """The calls on counters."""
    return on_keys_with(ops, (INCREMENT, DECREMENT), READ)


def applies(history: History) -> bool:
    """Whether counters were read."""
    return has(history, INCREMENT, DECREMENT) and has(history, READ)
