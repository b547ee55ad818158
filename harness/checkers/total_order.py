"""Check that all subscriptions receive the messages in one order."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from harness.checkers._calls import NEVER
from harness.checkers._cycles import on_cycles, shortest_cycle
from harness.checkers._messages import Messages, had_before, judged
from harness.checkers._timeline import Integers
from harness.checkers._wording import count
from harness.model.history import History
from harness.model.verdict import Verdict
from harness.model.vocabulary import RECEIVES, SENDS

KINDS: Final = (*SENDS, *RECEIVES)


def total_order(history: History) -> Verdict:
    """There is one order of all messages of a topic in which every subscription receives those that it receives.

    Kinds and spelling: `harness.model.vocabulary`. A subscription has received one message before another if the first came
    in a call that was answered before every call that brought the second was sent, or earlier in a poll that brought both,
    if no other call brought either. Calls whose times touch are concurrent. Messages are told apart by their texts, so none
    should be sent twice. Unknown if no topic has two subscriptions, or if only those disagree whose messages are acked, and
    may have come before to a `receive` or `poll` of unknown outcome.

    The orders of all subscriptions together must have no cycle, which their strongly connected components show: O(n log n).
    This is total order broadcast: X. Défago, A. Schiper, P. Urbán, "Total order broadcast and multicast algorithms", ACM
    Computing Surveys 36(4), 2004.
    """
    return judged(history, lambda found: _judge(history, found))


def _judge(history: History, found: Messages) -> Verdict:
    verdict = _of(found, found.receipts)
    unsure = found.receipts["key"].isin(list(had_before(history))).to_numpy(dtype=bool)
    if verdict.valid is not False or not unsure.any():
        return verdict
    others = _of(found, found.receipts[~unsure])
    why = f"{verdict.why}; but receives that brought no answer may have brought some of them before"
    return others if others.valid is False else Verdict(valid=None, why=why)


def _of(found: Messages, receipts: pd.DataFrame) -> Verdict:
    """The verdict on these receipts."""
    receipts = receipts.assign(done=receipts["done_ns"])
    shared = receipts.groupby("topic")["key"].nunique()
    receipts = receipts[receipts["topic"].isin(shared.index[shared > 1]).to_numpy(dtype=bool)]
    if receipts.empty:
        return Verdict(valid=None, why="no topic was received by two subscriptions, so there is one order only")
    receipts = pd.concat([receipts, _brought_besides(receipts, found.unsure)], ignore_index=True)
    message = receipts.groupby(["topic", "message"], sort=False).ngroup().to_numpy()
    names = int(message.max()) + 1
    nodes, source, target = _orders(receipts.assign(number=message), names)
    cyclic = on_cycles(nodes, source, target)
    if not cyclic.any():
        told = count(receipts["key"].nunique(), "subscription")
        return Verdict(valid=True, why=f"one order explains what {told} received: {count(names, 'message')}")
    start = int(np.flatnonzero(cyclic[:names])[0])
    cycle = [node for node in shortest_cycle(start, source, target, cyclic) if node < names]
    chosen = receipts[np.isin(message, cycle)].drop_duplicates(["key", "message"])
    text = dict(zip(message.tolist(), receipts["message"], strict=True))
    told = " before ".join(str(text[node]) for node in [*cycle, cycle[0]])
    return Verdict(
        valid=False,
        why=f"subscriptions of {receipts['topic'].iloc[int(np.flatnonzero(message == start)[0])]} disagree about the order:"
        f" together they received {told}; {count(int(cyclic[:names].sum()), 'message')} of {names:,} cannot be ordered",
        ops=tuple(sorted({int(op) for op in chosen["op"]})[:20]),
    )


def _orders(receipts: pd.DataFrame, names: int) -> tuple[int, Integers, Integers]:
    """A graph with a path from one message to another if a subscription received the first one first.

    Its nodes are the messages and, to need few edges, the moments of each subscription, linked in order.
    """
    groups = receipts.groupby(["key", "number"], sort=False)
    each = groups.agg(sent=("sent_ns", "min"), done=("done", "min"), often=("op", "size")).reset_index()
    subscription = each.groupby("key", sort=False).ngroup().to_numpy()
    times, rank = np.unique(np.concatenate([each["sent"], each["done"]]), return_inverse=True)
    sent = subscription * len(times) + rank[: len(each)]
    done = subscription * len(times) + rank[len(each) :]
    moments = np.unique(done)
    before = np.searchsorted(moments, sent) - 1  # the last moment at which something was received, before the call was sent
    same = (before >= 0) & (moments[np.maximum(before, 0)] // len(times) == subscription)
    number = each["number"].to_numpy()
    linked = np.flatnonzero(moments[1:] // len(times) == moments[:-1] // len(times))
    edges = [
        (number, names + np.searchsorted(moments, done)),
        (names + linked, names + linked + 1),
        (names + before[same], number[same]),
        _within_polls(receipts, each),
    ]
    source = np.concatenate([edge[0] for edge in edges])
    target = np.concatenate([edge[1] for edge in edges])
    return names + len(moments), source, target


def _brought_besides(receipts: pd.DataFrame, unsure: pd.DataFrame) -> pd.DataFrame:
    """Those of these messages that calls of unknown outcome have brought, too, at a time that is not known."""
    of = ["key", "message"]
    return unsure.merge(receipts[of].drop_duplicates(), on=of).assign(done=NEVER)


def _within_polls(receipts: pd.DataFrame, each: pd.DataFrame) -> tuple[Integers, Integers]:
    """Edges between neighbours in a poll, of messages that the subscription received once."""
    once = receipts.merge(each[["key", "number", "often"]], on=["key", "number"])
    once = once[(once["often"] == 1).to_numpy(dtype=bool)].sort_values(["op", "place"], kind="stable")
    op, number = once["op"].to_numpy(), once["number"].to_numpy()
    neighbours = op[1:] == op[:-1] if len(op) else np.zeros(0, dtype=bool)
    return number[:-1][neighbours], number[1:][neighbours]


def applies(history: History) -> bool:
    """Never by itself: a history does not show whether subscriptions must agree about the order."""
    return False
