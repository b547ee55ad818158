"""Check that no message was received more often than it was sent."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from harness.checkers._calls import has
from harness.checkers._messages import Messages, delivers, judged, numbered
from harness.checkers._wording import count
from harness.model.history import History
from harness.model.verdict import Verdict
from harness.model.vocabulary import ACK, RECEIVES, SENDS

KINDS: Final = (*SENDS, *RECEIVES)


def no_duplicates(history: History) -> Verdict:
    """Each subscription receives a message at most as often as it was sent, and not before it was sent.

    Kinds and spelling: `harness.model.vocabulary`. A send of unknown outcome may have sent the message, once; a failed one has
    not, so receiving its message is wrong as well. `no_lost_messages` checks that nothing is missing; the two together are
    exactly-once delivery. O(n log n). After Jepsen's checker "total-queue".
    """
    if not has(history, *SENDS):
        return Verdict(valid=None, why="the history does not tell of any send")
    return judged(history, _judge)


def _judge(found: Messages) -> Verdict:
    if found.receipts.empty:
        return Verdict(valid=None, why="no message was received")
    pairs = _paired(found)
    unsent = pairs["sent_ns_send"].isna().to_numpy(dtype=bool)
    wrong = pairs[unsent | (pairs["done_ns"] < pairs["sent_ns_send"]).fillna(False).to_numpy(dtype=bool)]
    if wrong.empty:
        return Verdict(valid=True, why=f"{count(len(pairs), 'message')} received, none more often than it was sent")
    first = wrong.sort_values("done_ns", kind="stable").iloc[0]
    same = pairs[((pairs["key"] == first["key"]) & (pairs["message"] == first["message"])).to_numpy(dtype=bool)]
    sends = found.sends[
        ((found.sends["topic"] == first["topic"]) & (found.sends["message"] == first["message"])).to_numpy(dtype=bool)
    ]
    return Verdict(
        valid=False,
        why=f"{count(len(wrong), 'message')} received too often: client {first['client']} received {first['message']} from"
        f" {first['key']} (op {first['op']}), {_why(first, len(sends))}",
        ops=tuple(sorted({int(op) for op in [*same["op"].iloc[:10], *sends["op"].iloc[:10]]})),
    )


def _paired(found: Messages) -> pd.DataFrame:
    """Each receipt with the send that it is matched with: a message's first receipt with its first send, and so on."""
    sends = numbered(found.sends, ["topic", "message"], "sent_ns")[["topic", "message", "nth", "sent_ns"]]
    receipts = numbered(found.receipts, ["key", "message"], "done_ns")
    pairs = receipts.merge(sends, on=["topic", "message", "nth"], how="left", suffixes=("", "_send"))
    return pairs.astype({"sent_ns_send": pd.Int64Dtype(), "nth": np.int64})


def _why(receipt: pd.Series, sends: int) -> str:
    if receipt["nth"] < sends:
        return "before it was sent"
    if sends == 0:
        return "which was never sent, or whose sending had failed"
    return f"as {count(int(receipt['nth']), 'time')} before, and it was sent {count(sends, 'time')}"


def applies(history: History) -> bool:
    """Whether messages were received, and none acked: a message that has to be acked is one that may come again."""
    return delivers(history) and not has(history, ACK)
