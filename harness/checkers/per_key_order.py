"""Check that messages with the same key are received in the order in which they were sent."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from harness.checkers._calls import codes
from harness.checkers._messages import Messages, delivers, had_before, judged
from harness.checkers._timeline import NONE, Integers, Timeline
from harness.checkers._wording import count
from harness.model.history import History
from harness.model.verdict import Verdict
from harness.model.vocabulary import RECEIVES, SENDS

KINDS: Final = (*SENDS, *RECEIVES)


def per_key_order(history: History) -> Verdict:
    """Of two messages with the same order key, the one sent first is received first in each subscription.

    Kinds and spelling: `harness.model.vocabulary`; the key of the send is the order key. One message was sent first if its
    send was acknowledged before the other's was sent. One was received first if it came in a call that was answered before
    every call that brought the other was sent, or earlier in the same poll, if only that brought the other. Calls whose
    times touch are concurrent. Messages that were sent twice are left out; the verdict is then unknown unless others are out
    of order. Where messages are acked, a `receive` of unknown outcome may have brought a message that came again later, a
    `poll` any number: unknown, if no more than those are out of order.

    O(n log n).
    """
    return judged(history, lambda found: _judge(history, found))


def _judge(history: History, found: Messages) -> Verdict:
    sends = found.sends[~found.sends.duplicated(["topic", "message"], keep=False).to_numpy(dtype=bool)]
    first = _received(found).merge(sends, on=["topic", "message"], suffixes=("", "_send"))
    if len(first) < 2:
        return Verdict(valid=None, why="fewer than two messages were received that were sent once")
    earlier = np.where((between := _between_calls(first)) != NONE, between, _within_polls(first))
    wrong = np.flatnonzero(earlier != NONE)
    before = had_before(history)
    if any(number > before.get(str(key), 0) for key, number in first["key"].iloc[wrong].value_counts().items()):
        at = int(wrong[np.argmin(first["done_ns"].to_numpy()[wrong])])
        late, early = first.iloc[at], first.iloc[int(earlier[at])]
        ops = {int(row[name]) for row in (late, early) for name in ("op", "op_send")}
        return Verdict(
            valid=False,
            why=f"{late['key']} received {early['message']} (op {early['op']}) before {late['message']} (op {late['op']}), and"
            f" {late['message']} had been sent to {late['key_send']} first; {count(len(wrong), 'message')} out of order",
            ops=tuple(sorted(ops)),
        )
    if len(wrong):
        late = first.iloc[int(wrong[0])]
        what = f"{count(len(wrong), 'message')} out of order may have come before to receives that brought no answer"
        return Verdict(valid=None, why=f"{what}, such as {late['message']} (op {late['op']})")
    if len(sends) < len(found.sends):
        again = found.sends[found.sends.duplicated(["topic", "message"], keep=False)].iloc[0]
        return Verdict(valid=None, why=f"{again['message']} was sent twice (op {again['op']}), so its place is not known")
    keys = first["key_send"].nunique()
    return Verdict(valid=True, why=f"{count(len(first), 'message')} of {count(keys, 'key')} received in the order of sending")


def _received(found: Messages) -> pd.DataFrame:
    """One row per message and subscription: by when it was received (`done_ns`), and after when (`sent_ns`).

    `poll` is the operation that brought it and `place` its place in it, `NONE` if it was received more than once.
    """
    receipts = found.receipts.sort_values("done_ns", kind="stable")
    groups = pd.concat([receipts, found.unsure]).groupby(["key", "message"], sort=False)
    first = receipts[~receipts.duplicated(["key", "message"]).to_numpy(dtype=bool)]
    each = first.set_index(["key", "message"])
    calls = groups.agg(sent_ns=("sent_ns", "min"), often=("op", "size")).reindex(each.index)
    poll = np.where((calls["often"] == 1).to_numpy(dtype=bool), each["op"], NONE)
    each = each.assign(sent_ns=calls["sent_ns"].to_numpy(), poll=poll)
    return each.reset_index()[["key", "message", "topic", "op", "client", "poll", "place", "sent_ns", "done_ns"]]


def _group(first: pd.DataFrame, by: list[str]) -> Integers:
    return first.groupby(by, sort=False).ngroup().to_numpy().astype(np.int64)


def _between_calls(first: pd.DataFrame) -> Integers:
    """For each message one that was sent after it and received before it."""
    group = _group(first, ["key", "key_send"])
    sent = first["sent_ns_send"].to_numpy()
    before = Timeline(group, first["done_ns"].to_numpy()).greatest_before(sent, group, first["sent_ns"].to_numpy())
    return np.where((before != NONE) & (sent[before] > first["ends_ns"].to_numpy()), before, NONE)


def _within_polls(first: pd.DataFrame) -> Integers:
    """The same within a poll."""
    poll, _ = codes(first["poll"].astype("string"))
    group = _group(first.assign(number=poll), ["number", "key", "key_send"])
    sent, place = first["sent_ns_send"].to_numpy(), first["place"].to_numpy()
    before = Timeline(group, place).greatest_before(sent, group, place)
    wrong = (before != NONE) & (sent[before] > first["ends_ns"].to_numpy()) & (first["poll"] != NONE).to_numpy(dtype=bool)
    return np.where(wrong, before, NONE)


def applies(history: History) -> bool:
    """Whether messages were sent with keys of their own to order them by, "topic/key"."""
    ops = history.ops
    keyed = ops["kind"].isin(SENDS) & ops["key"].str.contains("/", regex=False).fillna(False)
    return bool(keyed.any()) and delivers(history)
