"""Check that no receive finds nothing while there is a message for it."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from harness.checkers._calls import NEVER, calls
from harness.checkers._messages import Messages, judged
from harness.checkers._timeline import Booleans, Integers
from harness.checkers._wording import count
from harness.model.history import History
from harness.model.verdict import Verdict
from harness.model.vocabulary import RECEIVES, SENDS

KINDS: Final = (*SENDS, *RECEIVES)

_SHOWN: Final = 10


def no_false_empties(history: History) -> Verdict:
    """A receive or poll is answered with nothing only if there was a moment meanwhile at which nothing was due to it.

    A message is due to a subscription from when it is acknowledged until the first call is sent that brings it. It may be kept
    for a consumer whose receive failed, or is of unknown outcome, and that is no wrong: so it counts only up to the first such
    call that may have taken it. Unknown if no answer brought nothing. O(n log n). This is the condition VWit in T. Henzinger,
    A. Sezgin, V. Vafeiadis, "Aspect-Oriented Linearizability Proofs", CONCUR 2013.
    """
    return judged(history, lambda found: _judge(history, found))


def _judge(history: History, found: Messages) -> Verdict:
    empties = found.answers[found.answers["empty"].to_numpy(dtype=bool)]
    if empties.empty:
        return Verdict(valid=None, why="no receive or poll was answered with nothing")
    due = _due(found, _failed(history))
    false, covering = 0, pd.DataFrame()
    first: pd.Series | None = None
    for key, mine in empties.groupby("key", sort=True):
        of_key = due[(due["key"] == key).to_numpy(dtype=bool)].sort_values("from_ns", kind="stable")
        wrong = mine[_covered(of_key, mine["sent_ns"].to_numpy(), mine["done_ns"].to_numpy())]
        false += len(wrong)
        if first is None and not wrong.empty:
            first = wrong.iloc[0]
            meanwhile = (of_key["from_ns"] < first["done_ns"]) & (of_key["until_ns"] > first["sent_ns"])
            covering = of_key[meanwhile.to_numpy(dtype=bool)]
    if first is None:
        return Verdict(valid=True, why=f"{count(len(empties), 'answer')} with nothing, and nothing was due")
    one = covering.iloc[0]
    return Verdict(
        valid=False,
        why=f"{count(false, 'answer')} with nothing although something was due: client {first['client']}'s {first['kind']} from"
        f" {first['key']} (op {first.name}) found nothing, and {one['message']} was acknowledged before (op {one['op_send']}),"
        f" and received later (op {one['op']})",
        ops=tuple(sorted({int(op) for op in [first.name, *covering["op_send"].iloc[:_SHOWN], *covering["op"].iloc[:_SHOWN]]})),
    )


def _failed(history: History) -> pd.DataFrame:
    """Receives and polls that may have taken something and not brought it: `key`, `sent_ns`, `ends_ns`."""
    failed = calls(history, RECEIVES, ("failed", "unknown"))
    ends_ns = np.where((failed["outcome"] == "failed").to_numpy(dtype=bool), failed["done_ns"].to_numpy(), NEVER)
    return failed.assign(key=failed["key"].fillna(""), ends_ns=ends_ns)[["key", "sent_ns", "ends_ns"]]


def _due(found: Messages, failed: pd.DataFrame) -> pd.DataFrame:
    """For each subscription and message that it received: `key`, `message`, `op_send`, `op`, and from when until when it was
    certainly due, `from_ns` and `until_ns`. Messages that were sent more than once are left out."""
    sends = found.sends.drop_duplicates(["topic", "message"], keep=False)
    sends = sends[sends["ok"].to_numpy(dtype=bool)]
    received = pd.concat([found.receipts, found.held]).sort_values("sent_ns", kind="stable")
    received = received.drop_duplicates(["key", "message"])[["topic", "key", "message", "op", "sent_ns"]]
    due = received.merge(
        sends[["topic", "message", "op", "sent_ns", "ends_ns"]], on=["topic", "message"], suffixes=("", "_send")
    )
    until_ns = due["sent_ns"].to_numpy(dtype=np.int64, copy=True)
    for key, mine in failed.groupby("key", sort=False):
        own = (due["key"] == key).to_numpy(dtype=bool)
        until_ns[own] = np.minimum(until_ns[own], _first_sent(mine, due["sent_ns_send"].to_numpy()[own]))
    due = due.assign(from_ns=due["ends_ns"], until_ns=until_ns)
    return due[(due["from_ns"] < due["until_ns"]).to_numpy(dtype=bool)]


def _first_sent(failed: pd.DataFrame, since_ns: Integers) -> Integers:
    """For each time, when the first of these calls was sent that was not over by then."""
    failed = failed.sort_values("ends_ns", kind="stable")
    first = np.minimum.accumulate(failed["sent_ns"].to_numpy(dtype=np.int64)[::-1])[::-1]
    at = np.searchsorted(failed["ends_ns"].to_numpy(dtype=np.int64), since_ns, side="left")
    return np.append(first, NEVER)[at]


def _covered(due: pd.DataFrame, begins_ns: Integers, ends_ns: Integers) -> Booleans:
    """Which of these times from a beginning to an end are covered by messages that were due, sorted by `from_ns`."""
    if due.empty:
        return np.zeros(len(begins_ns), dtype=bool)
    from_ns, until_ns = due["from_ns"].to_numpy(dtype=np.int64), np.maximum.accumulate(due["until_ns"].to_numpy(dtype=np.int64))
    new = np.append(True, from_ns[1:] >= until_ns[:-1])  # touching is not enough: one may have gone before the next one came
    starts, stops = from_ns[new], np.append(until_ns[:-1][new[1:]], until_ns[-1])
    at = np.searchsorted(starts, begins_ns, side="left") - 1
    return (at >= 0) & (stops[np.maximum(at, 0)] > ends_ns)


def applies(history: History) -> bool:
    """Never by itself: many queues may well say that they have nothing, although they have."""
    return False
