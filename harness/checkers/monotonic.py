"""Check that numbers never go down."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from harness.checkers._calls import NotNumbers, calls, codes, on_other_keys, whole_numbers
from harness.checkers._timeline import NONE, Timeline
from harness.checkers._wording import count
from harness.model.history import History
from harness.model.verdict import Verdict
from harness.model.vocabulary import GENERATE, READ

KINDS: Final = (GENERATE,)


def monotonic(history: History) -> Verdict:
    """No call gets a smaller number than a call that was answered before it was sent.

    Judges answered `read` and `generate` calls, whose values are whole numbers; each key by itself. Calls whose times overlap
    or touch may be answered in any order. Use it for what may only grow: timestamps, versions, offsets, counters without
    subtraction. O(n log n). After Jepsen's test "monotonic".
    """
    found = calls(history, [READ, GENERATE])
    found = found[found["value"].notna().to_numpy(dtype=bool)]
    if len(found) < 2:
        return Verdict(valid=None, why="fewer than two numbers were answered")
    undecided = None
    try:
        number = whole_numbers(found)
    except NotNumbers as error:
        undecided = Verdict(valid=None, why=str(error))
        found = on_other_keys(found, found)
        number = whole_numbers(found)
    key, names = codes(found["key"])
    sent, done = found["sent_ns"].to_numpy(), found["done_ns"].to_numpy()
    before = Timeline(key, done).greatest_before(number, key, sent)
    falls = np.flatnonzero((before != NONE) & (number[before] > number))
    if not len(falls) and undecided is not None:
        return undecided
    if not len(falls):
        return Verdict(valid=True, why=f"{count(len(found), 'number')} on {count(len(names), 'key')} never go down")
    later = int(falls[np.argmin(done[falls])])
    earlier = int(before[later])
    return Verdict(
        valid=False,
        why=f"key {names[key[later]]}: client {found['client'].iloc[later]} got {number[later]} (op {found.index[later]}) after"
        f" client {found['client'].iloc[earlier]} had got {number[earlier]} (op {found.index[earlier]});"
        f" {count(len(falls), 'answer')} went down",
        ops=tuple(sorted((int(found.index[earlier]), int(found.index[later])))),
    )


def judges(ops: pd.DataFrame) -> pd.Series[bool]:
    """The calls that are answered with numbers."""
    return ops["kind"].isin([READ, GENERATE])


def applies(history: History) -> bool:
    """Never by itself: a history does not show whether numbers may go down."""
    return False
