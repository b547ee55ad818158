"""Whether acknowledged writes are still there when everything has healed."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from harness.checkers._wording import count, listed, quoted
from harness.model.history import History
from harness.model.verdict import Verdict

KINDS: Final = ("read", "write")

NEVER: Final = np.iinfo(np.int64).max
BEFORE_ALL: Final = np.iinfo(np.int64).min

_WRITES: Final = ("write", "delete")


def nothing_lost(history: History) -> Verdict:
    """After healing, no key reads as something older than a write that was acknowledged on it.

    Each answered read of phase "final" shows its key's value v at that time. An acknowledged write w of the key is lost if w
    was sent after v had been written, and was done before that read was sent: then w is the newer one, and gone. v had been
    written when its own write was done, or when some read had found it. A v whose write has an unknown outcome, and which no
    one had read, may have taken effect at any time, so nothing is lost by it. A null v is older than every write, unless null
    was written or the key deleted. A v that was never written makes the history invalid as well. Keys that are also changed by
    other calls, such as compare-and-set, are not judged: unknown, if nothing is found on the others. O(n log n) for n calls.
    """
    calls = _calls(history.ops)
    writes, other = calls[calls["kind"].isin(_WRITES)], calls[~calls["kind"].isin(["read", *_WRITES])]
    acked = writes[writes["outcome"] == "ok"]
    if acked.empty:
        return Verdict(valid=None, why="no write was acknowledged, so nothing could be lost")
    mixed = sorted(set(acked["key"]) & set(other["key"]))
    judged = calls[~calls["key"].isin(mixed)]
    found = _origins(judged)
    lost, strange = _lost(acked, found), found[found["written_ns"].isna()].drop_duplicates("key")
    unread = sorted(set(acked["key"]) - set(found["key"]) - set(mixed))
    if len(lost) or len(strange):
        parts = [*_lost_sentence(lost), *_strange_sentence(strange)]
        rows = np.unique(np.concatenate([lost.index, lost["read"], strange.index]))
        return Verdict(valid=False, why="; ".join(parts), ops=tuple(int(row) for row in rows))
    if mixed:
        kinds = listed(sorted(set(other["kind"][other["key"].isin(mixed)].astype(str))))
        return Verdict(valid=None, why=f"what {kinds} did to {count(len(mixed), 'key')} is not known here: {listed(mixed)}")
    if unread:
        return Verdict(
            valid=None,
            why=f"{count(len(unread), 'key')} with acknowledged writes had no answered read after healing: {listed(unread)}",
        )
    return Verdict(
        valid=True,
        why=f"after healing no key is older than an acknowledged write: {count(len(acked), 'write')},"
        f" {count(acked['key'].nunique(), 'key')}",
    )


def _calls(ops: pd.DataFrame) -> pd.DataFrame:
    """The calls that may have had an effect, or were answered; the index still names the operation."""
    told = ops[ops["outcome"].isin(["ok"]) | ((ops["outcome"] == "unknown") & (ops["kind"] != "read"))]
    calls = told[["phase", "client", "kind", "key", "value", "outcome", "sent_ns", "done_ns"]]
    return calls.assign(key=calls["key"].fillna(""), value=calls["value"].mask(calls["kind"] == "delete"))


def _origins(calls: pd.DataFrame) -> pd.DataFrame:
    """A row a final read, named by it: the key, what it found, and since when at the latest that had been written.

    `written_ns` is null if the value was not written before the read was done, `NEVER` if it may have been written at any
    time, `BEFORE_ALL` for a key's initial null.
    """
    reads = calls[calls["kind"] == "read"]
    final = reads[reads["phase"] == "final"]
    found = final[["key", "value", "sent_ns", "done_ns"]].rename(columns={"sent_ns": "from_ns", "done_ns": "to_ns"})
    writes = calls[calls["kind"].isin(_WRITES)]
    acknowledged_ns = writes["done_ns"].where(writes["outcome"] == "ok", NEVER)
    ends_ns = np.minimum(acknowledged_ns, _seen_ns(reads, writes))
    candidates = found.reset_index(names="read").merge(writes.assign(ends_ns=ends_ns), on=["key", "value"])
    candidates = candidates[candidates["sent_ns"] <= candidates["to_ns"]]
    written_ns = candidates.groupby("read")["ends_ns"].max().astype("Int64").reindex(found.index)
    return found.assign(written_ns=written_ns.mask(written_ns.isna() & found["value"].isna(), BEFORE_ALL))


def _seen_ns(reads: pd.DataFrame, writes: pd.DataFrame) -> pd.Series[int]:
    """When the value of each write had first been read; `NEVER` if it had not, or may have been another write's."""
    only = writes[~writes.duplicated(["key", "value"], keep=False) & writes["value"].notna()]
    pairs = (
        only[["key", "value", "sent_ns"]]
        .reset_index(names="write")
        .merge(reads[["key", "value", "done_ns"]], on=["key", "value"])
    )
    first_ns = pairs[pairs["done_ns"] >= pairs["sent_ns"]].groupby("write")["done_ns"].min()
    return first_ns.reindex(writes.index, fill_value=NEVER)


def _lost(acked: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """The acknowledged writes that are gone, with the read that shows it, one of each key; the index names the write."""
    # Of the writes that were sent after the value had been written, was the first to be done in time for the read?
    newest = acked.sort_values("sent_ns", kind="stable")[["key", "sent_ns", "done_ns"]]
    newest = newest.assign(done_ns=newest["done_ns"][::-1].groupby(newest["key"][::-1]).cummin())
    reads = found.dropna(subset="written_ns").astype({"written_ns": "int64"}).sort_values("written_ns", kind="stable")
    nearest = pd.merge_asof(
        reads.reset_index(names="read"),
        newest,
        left_on="written_ns",
        right_on="sent_ns",
        by="key",
        direction="forward",
        allow_exact_matches=False,
    )
    wrong = nearest[nearest["done_ns"] < nearest["from_ns"]].sort_values("from_ns", kind="stable").drop_duplicates("key")
    beside = acked.reset_index(names="op").merge(wrong[["key", "value", "read", "from_ns", "written_ns"]], on="key")
    gone = (beside["sent_ns"] > beside["written_ns"]) & (beside["done_ns"] < beside["from_ns"])
    return beside[gone].rename(columns={"value_x": "value", "value_y": "value_found"}).set_index("op").sort_index()


def _lost_sentence(lost: pd.DataFrame) -> list[str]:
    if lost.empty:
        return []
    first = lost.iloc[0]
    return [
        f"{count(len(lost), 'acknowledged write')} lost on {listed(sorted(set(lost['key'])))}:"
        f" client {first['client']}'s {first['kind']} of {quoted(first['value'])} to {first['key']} (op {lost.index[0]}) was"
        f" acknowledged, yet a read after healing found {_older(first['value_found'])} (op {first['read']})"
    ]


def _older(value: object) -> str:
    return f"the older {value}" if isinstance(value, str) else "nothing"


def _strange_sentence(strange: pd.DataFrame) -> list[str]:
    told = [f"{row.key} reads {row.value} (op {row.Index})" for row in strange.itertuples()]
    return [f"{count(len(strange), 'key')} with a value that was never written: {listed(told)}"] if told else []


def applies(history: History) -> bool:
    """Whether something was written, and calls were made after healing."""
    return bool(history.ops["kind"].isin(_WRITES).any()) and bool((history.ops["phase"] == "final").any())
