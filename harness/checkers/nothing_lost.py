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


def nothing_lost(history: History) -> Verdict:
    """After healing, no key reads as something older than a write that was acknowledged on it.

    A key's last answered read of phase "final" shows its value v. An acknowledged write w of the key is lost if w
    was sent after v's own write was done, and was done before that read was sent: then w is the newer one, and gone.
    A v whose write has an unknown outcome may have taken effect at any time, so nothing is lost by it. A null v is older
    than every write. A v that was never written makes the history invalid as well.
    """
    ops = history.ops
    kind, outcome = ops["kind"], ops["outcome"]
    acked = ops[((kind == "write") & (outcome == "ok")).to_numpy(dtype=bool)]
    if acked.empty:
        return Verdict(valid=None, why="no write was acknowledged, so nothing could be lost")
    reads = ops[((kind == "read") & (outcome == "ok") & (ops["phase"] == "final")).to_numpy(dtype=bool)]
    last = reads.sort_values("sent_ns", kind="stable").drop_duplicates("key", keep="last")
    found = _origins(last, ops[((kind == "write") & (outcome != "failed")).to_numpy(dtype=bool)])
    lost, strange = _lost(acked, found), found[found["written_ns"].isna().to_numpy(dtype=bool)]
    unread = sorted(set(acked["key"]) - set(last["key"]))
    if len(lost) or len(strange):
        parts = [*_lost_sentence(lost), *_strange_sentence(strange)]
        rows = np.unique(np.concatenate([lost.index, lost["read"], strange["read"]]))
        return Verdict(valid=False, why="; ".join(parts), ops=tuple(int(row) for row in rows))
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


def _origins(last: pd.DataFrame, writes: pd.DataFrame) -> pd.DataFrame:
    """A row a key: what its last final read found, and until when the writing of that may have lasted.

    `written_ns` is null if the value was not written before the read was done, `NEVER` if a write of it has an
    unknown outcome, `BEFORE_ALL` for a key's initial null.
    """
    found = pd.DataFrame(
        {"key": last["key"], "value": last["value"], "read": last.index, "from_ns": last["sent_ns"], "to_ns": last["done_ns"]}
    )
    ends_ns = writes["done_ns"].where((writes["outcome"] == "ok").to_numpy(dtype=bool), NEVER)
    candidates = found.merge(
        pd.DataFrame({"key": writes["key"], "value": writes["value"], "sent_ns": writes["sent_ns"], "ends_ns": ends_ns}),
        on=["key", "value"],
    )
    candidates = candidates[(candidates["sent_ns"] <= candidates["to_ns"]).to_numpy(dtype=bool)]
    written_ns = found["read"].map(candidates.groupby("read")["ends_ns"].max().astype("Int64")).astype("Int64")
    initial = (found["value"].isna() & written_ns.isna()).to_numpy(dtype=bool)
    return found.assign(written_ns=written_ns.mask(initial, BEFORE_ALL))


def _lost(acked: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """The acknowledged writes that are gone, with the read that shows it; the index still names the operation."""
    beside = acked.reset_index(names="op").merge(
        found[["key", "value", "read", "from_ns", "written_ns"]].dropna(subset="written_ns"), on="key", suffixes=("", "_found")
    )
    gone = (beside["sent_ns"] > beside["written_ns"]) & (beside["done_ns"] < beside["from_ns"])
    return beside[gone.to_numpy(dtype=bool)].set_index("op").sort_index()


def _lost_sentence(lost: pd.DataFrame) -> list[str]:
    if lost.empty:
        return []
    first = lost.iloc[0]
    return [
        f"{count(len(lost), 'acknowledged write')} lost on {listed(sorted(set(lost['key'])))}:"
        f" client {first['client']}'s write of {quoted(first['value'])} to {first['key']} (op {lost.index[0]}) was"
        f" acknowledged, yet the last read after healing found {_older(first['value_found'])} (op {first['read']})"
    ]


def _older(value: object) -> str:
    return f"the older {value}" if isinstance(value, str) else "nothing"


def _strange_sentence(strange: pd.DataFrame) -> list[str]:
    told = [f"{row.key} reads {row.value} (op {row.read})" for row in strange.itertuples()]
    return [f"{count(len(strange), 'key')} ended with a value that was never written: {listed(told)}"] if told else []


def applies(history: History) -> bool:
    """Whether something was written, and calls were made after healing."""
    return bool((history.ops["kind"] == "write").any()) and bool((history.ops["phase"] == "final").any())
