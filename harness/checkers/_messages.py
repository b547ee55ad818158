"""Messages sent and received: shared parts of the checkers of delivery."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.checkers._calls import NEVER, Mixed, NotArrays, as_elements, calls, elements, ends_ns, has, unknown_changes
from harness.checkers._wording import count, listed
from harness.model.history import History
from harness.model.verdict import Verdict
from harness.model.vocabulary import ACK, KNOWN, POLL, RECEIVES, SENDS


@dataclass(frozen=True, kw_only=True)
class Messages:
    """One row per message sent, and one row per message received.

    `sends`: `op`, `client`, `topic`, `key`, `message`, `ok`, `sent_ns`, `ends_ns` (`NEVER` if the outcome is unknown);
    failed sends are left out. `receipts`: `op`, `client`, `topic`, `key` (the subscription), `message`, `place` (in its
    poll), `sent_ns`, `done_ns`. `answers`: one row per answered `receive` or `poll`: `client`, `topic`, `key`, `phase`,
    `sent_ns`, `empty`. `unsure`: one row per message that a consumer has although the outcome of its `receive` or `poll` is
    unknown, as of `receipts`. `held`: those of them that do not come again, because messages are not acked or this one was.
    """

    sends: pd.DataFrame
    receipts: pd.DataFrame
    answers: pd.DataFrame
    unsure: pd.DataFrame
    held: pd.DataFrame


def judged(history: History, judge: Callable[[Messages], Verdict]) -> Verdict:
    """The verdict on the messages of a history.

    Calls of kinds that no check knows may have sent or taken messages, so their topics are left out: unknown, if nothing is
    wrong with the others.
    """
    try:
        found = _messages(history)
    except NotArrays as error:
        return Verdict(valid=None, why=str(error))
    other = unknown_changes(history.ops, KNOWN)
    if other.empty:
        return judge(found)
    topics = _with_topic(other)["topic"]
    mixed = Mixed.of(other.assign(key=topics), KNOWN, pd.concat([found.sends["topic"], found.answers["topic"]]))
    if not mixed.keys:
        return judge(found)
    verdict = judge(
        Messages(
            sends=mixed.without(found.sends, "topic"),
            receipts=mixed.without(found.receipts, "topic"),
            answers=mixed.without(found.answers, "topic"),
            unsure=mixed.without(found.unsure, "topic"),
            held=mixed.without(found.held, "topic"),
        )
    )
    return verdict if verdict.valid is False else mixed.verdict()


def _messages(history: History) -> Messages:
    """The messages of a history. Raises `NotArrays` if a poll's value is not a JSON array."""
    sends = calls(history, SENDS, ("ok", "unknown"))
    sends = sends.assign(ok=(sends["outcome"] == "ok").to_numpy(dtype=bool), ends_ns=ends_ns(sends))
    sends = sends.rename(columns={"value": "message"}).reset_index(names="op")
    sends = sends.assign(message=as_elements(sends["message"]))
    answers = calls(history, RECEIVES)
    receipts = _received(answers)
    answers = answers.assign(empty=~answers.index.isin(receipts["op"]))
    unsure = _with_topic(_received(calls(history, RECEIVES, ("unknown",))))
    return Messages(
        sends=_with_topic(sends),
        receipts=_with_topic(receipts),
        answers=_with_topic(answers),
        unsure=unsure,
        held=_held(history, unsure),
    )


def _held(history: History, unsure: pd.DataFrame) -> pd.DataFrame:
    """Those of these messages that do not come again."""
    acks = calls(history, [ACK], ("ok", "unknown"))
    acked = pd.MultiIndex.from_arrays([acks["key"].fillna(""), as_elements(acks["value"])])
    over = pd.MultiIndex.from_frame(unsure[["key", "message"]]).isin(acked)
    return pd.concat([_never_acked(history, unsure), unsure[over]])


def _received(answers: pd.DataFrame) -> pd.DataFrame:
    """One row per message that these receives and polls brought."""
    polled = (answers["kind"] == POLL).to_numpy(dtype=bool)
    single = np.flatnonzero(~polled & answers["value"].notna().to_numpy(dtype=bool))
    owner, place, texts = elements(answers[polled])
    owner = np.flatnonzero(polled)[owner]
    receipts = answers.iloc[np.concatenate([single, owner])].rename(columns={"value": "message"}).reset_index(names="op")
    texts = [*as_elements(answers["value"].iloc[single]), *texts]
    return receipts.assign(
        message=pd.array(texts, dtype="string"), place=np.concatenate([np.zeros(len(single), dtype=np.int64), place])
    )


def _with_topic(found: pd.DataFrame) -> pd.DataFrame:
    keys = found["key"].fillna("")
    return found.assign(topic=pd.array([key.partition("/")[0] for key in keys.array], dtype="string"), key=keys)


def delivers(history: History) -> bool:
    """Whether messages were asked for."""
    return has(history, *RECEIVES)


def numbered(found: pd.DataFrame, by: Sequence[str], order: str) -> pd.DataFrame:
    """Add a column `nth`: the row's number among the rows equal in `by`, from 0 by `order`."""
    found = found.sort_values(order, kind="stable")
    return found.assign(nth=found.groupby(list(by), dropna=False, sort=False).cumcount())


def lost(history: History, found: Messages) -> Verdict:
    """The verdict on whether every subscription received each acknowledged message of its topic."""
    acked = found.sends[found.sends["ok"]]
    if acked.empty:
        return Verdict(valid=None, why="no send was acknowledged, so nothing could be lost")
    due = found.answers[["topic", "key"]].drop_duplicates().rename(columns={"key": "subscription"})
    due = due.merge(numbered(acked, ["topic", "message"], "ends_ns"), on="topic")
    had = pd.concat([found.receipts, found.held])
    received = had.groupby(["key", "message"], sort=False).size().rename("received").reset_index()
    due = due.merge(received.rename(columns={"key": "subscription"}), on=["subscription", "message"], how="left")
    missing = due[(due["nth"] >= due["received"].fillna(0)).to_numpy(dtype=bool)]
    deaf = _deaf(history, found, acked)
    if missing.empty and deaf:
        return Verdict(valid=None, why=f"no receive from {listed(deaf)} was answered")
    if missing.empty:
        return Verdict(
            valid=True,
            why=f"all of {count(len(acked), 'acknowledged message')} received"
            f" by {count(due['subscription'].nunique(), 'subscription')}",
        )
    since_ns = _drained_ns(history, found.answers)
    drained_ns = np.array([since_ns.get(key, -NEVER) for key in missing["subscription"].array], dtype=np.int64)
    gone = missing[missing["ends_ns"].to_numpy() < drained_ns]
    excused = _swallowed(history)
    for subscription, these in gone.groupby("subscription", sort=True):
        if len(these) > excused.get(str(subscription), 0):
            first = these.iloc[0]
            return Verdict(
                valid=False,
                why=f"{count(len(these), 'acknowledged message')} never received by {subscription}: client {first['client']}'s"
                f" {first['kind']} of {first['message']} (op {first['op']}) was acknowledged",
                ops=tuple(sorted(int(op) for op in these["op"].iloc[:10])),
            )
    if len(gone):
        return Verdict(
            valid=None, why=f"{count(len(gone), 'message')} may have gone to receives that brought no answer: {_first(gone)}"
        )
    return Verdict(
        valid=None,
        why=f"{count(len(missing), 'message')} not received, and may still come: to decide, receive at the end until the"
        f" answer is empty; {_first(missing)}",
    )


def _deaf(history: History, found: Messages, acked: pd.DataFrame) -> list[str]:
    """Topics of acknowledged messages, and their subscriptions, of which no receive was answered."""
    topics = set(acked["topic"])
    asked = _with_topic(calls(history, RECEIVES, ("ok", "failed", "unknown")))
    asked = asked[asked["topic"].isin(topics).to_numpy(dtype=bool)]
    return sorted((topics - set(asked["topic"])) | (set(asked["key"]) - set(found.answers["key"])))


def _first(found: pd.DataFrame) -> str:
    row = found.iloc[0]
    return f"such as {row['message']} (op {row['op']})"


def _drained_ns(history: History, answers: pd.DataFrame) -> dict[str, int]:
    """The time since which each subscription is known to be empty: every client's last receive in the last phase was empty.

    Subscriptions with a client whose last receive brought a message are left out, and so are those with one that got no answer
    in the phase "final": what is kept for it may still come.
    """
    final = answers["phase"] == "final"
    last = answers[(final | ~answers["key"].isin(answers["key"][final])).to_numpy(dtype=bool)]
    last = last.sort_values("sent_ns", kind="stable").drop_duplicates(["key", "client"], keep="last")
    each = last.groupby("key").agg(empty=("empty", "all"), since=("sent_ns", "min"))
    asked = _with_topic(calls(history, RECEIVES, ("failed", "unknown")))
    asked = asked[(asked["phase"] == "final").to_numpy(dtype=bool)]
    got = pd.MultiIndex.from_frame(answers[["key", "client"]][final.to_numpy(dtype=bool)])
    deaf = asked["key"][~pd.MultiIndex.from_frame(asked[["key", "client"]]).isin(got)]
    drained = each["empty"] & ~each.index.isin(deaf)
    return {str(key): int(since) for key, since in each["since"][drained].items()}


def _swallowed(history: History) -> dict[str, float]:
    """How many messages of each subscription may have gone to receives of unknown outcome that do not say what they brought."""
    return _at_most(_never_acked(history, _silent(history)))


def had_before(history: History) -> dict[str, float]:
    """The same for subscriptions whose messages are acked: what such receives have taken comes again later."""
    silent = _silent(history)
    return _at_most(silent.drop(index=_never_acked(history, silent).index))


def _silent(history: History) -> pd.DataFrame:
    """The receives of unknown outcome that do not say what they brought."""
    dark = calls(history, RECEIVES, ("unknown",))
    return dark[dark["value"].isna().to_numpy(dtype=bool)]


def _at_most(receives: pd.DataFrame) -> dict[str, float]:
    """How many messages these receives of each subscription can have brought."""
    each = pd.Series(np.where(receives["kind"] == POLL, np.inf, 1.0), index=receives["key"].fillna("").to_numpy())
    return {str(key): float(number) for key, number in each.groupby(level=0).sum().items()}


def _never_acked(history: History, found: pd.DataFrame) -> pd.DataFrame:
    """Only the calls or messages of subscriptions whose messages nobody acks."""
    acked = calls(history, [ACK], ("ok", "failed", "unknown"))["key"]
    return found[~found["key"].fillna("").isin(acked.fillna("")).to_numpy(dtype=bool)]
