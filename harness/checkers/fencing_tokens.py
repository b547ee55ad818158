"""Check that the tokens that come with a lock grow."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from harness.checkers._calls import Mixed, NotNumbers, calls, codes, on_other_keys, refused, whole_numbers
from harness.checkers._timeline import NONE, Timeline
from harness.checkers._wording import count
from harness.model.history import History
from harness.model.verdict import Verdict
from harness.model.vocabulary import ACQUIRE, KNOWN

KINDS: Final = (ACQUIRE,)


def fencing_tokens(history: History) -> Verdict:
    """Each time a lock is acquired, its token is greater than all before, so that a store can refuse an old holder.

    Judges answered `acquire` calls whose value is a whole number; each lock by itself. An acquire that was sent after another
    was answered has the greater token, and no token is given out twice. O(n log n). After M. Kleppmann, "How to do
    distributed locking", 2016.
    """
    found = _tokens(history)
    if len(found) < 2:
        return Verdict(valid=None, why="fewer than two tokens were given out")
    mixed = Mixed.of(history.ops, KNOWN, found["key"])
    found = mixed.without(found)
    undecided = mixed.verdict() if mixed.keys else None
    try:
        token = whole_numbers(found)
    except NotNumbers as error:
        undecided = Verdict(valid=None, why=str(error))
        found = on_other_keys(found, found)
        token = whole_numbers(found)
    lock, names = codes(found["key"])
    before = Timeline(lock, found["done_ns"].to_numpy()).greatest_before(token, lock, found["sent_ns"].to_numpy())
    order = np.lexsort((token, lock))
    twice = np.full(len(found), NONE)
    same = (lock[order][1:] == lock[order][:-1]) & (token[order][1:] == token[order][:-1])
    twice[order[1:][same]] = order[:-1][same]
    earlier = np.where((before != NONE) & (token[before] >= token), before, twice)
    wrong = np.flatnonzero(earlier != NONE)
    if not len(wrong) and undecided is not None:
        return undecided
    if not len(wrong):
        return Verdict(valid=True, why=f"{count(len(found), 'token')} of {count(len(names), 'lock')} grow")
    later = int(wrong[np.argmin(found["done_ns"].to_numpy()[wrong])])
    pair = [int(earlier[later]), later]
    one, other = (f"{token[at]} for client {found['client'].iloc[at]} (op {found.index[at]})" for at in pair)
    return Verdict(
        valid=False,
        why=f"{names[lock[later]]}: after the token {one} came {other}; {count(len(wrong), 'token')} did not grow",
        ops=tuple(sorted(int(found.index[at]) for at in pair)),
    )


def _tokens(history: History) -> pd.DataFrame:
    """The acquires that were answered with a value."""
    found = calls(history, [ACQUIRE])
    return found[found["value"].notna().to_numpy(dtype=bool) & ~refused(found)]


def applies(history: History) -> bool:
    """Whether any lock came with nothing but numbers."""
    tokens = _tokens(history)
    return not on_other_keys(tokens, tokens).empty
