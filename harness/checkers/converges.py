"""Check that all clients and replicas see the same at the end."""

from __future__ import annotations

import numpy as np
import pandas as pd

from harness.checkers._calls import NEVER, NotArrays, calls, elements, has, spelled
from harness.checkers._transactions.reading import KIND as TXN
from harness.checkers._transactions.reading import NotATransaction, transactions
from harness.checkers._wording import count, quoted
from harness.model.history import History
from harness.model.verdict import Verdict
from harness.model.vocabulary import ADD, DECREMENT, DELETE, INCREMENT, READ, WRITE


def converges(history: History) -> Verdict:
    """After healing, the last reads of a key agree, whichever replica answered and whichever client asked.

    Judges `read` calls of phase "final" that were sent after every acknowledged call of another kind on their key was done:
    the last one of each reader. A reader is the node that answered, or the client if not all answers name their nodes. Sets
    are compared by their elements, in any order. If readers differ but a change of the key has an unknown outcome, the
    verdict is unknown: the change may have taken effect between two reads. A write or a delete explains only why the readers
    that have seen what it leaves differ from the others. Unknown, too, if no key has two readers.

    O(n log n). It is the convergence of eventual consistency: W. Vogels, "Eventually consistent", CACM 52(1), 2009.
    """
    reads = calls(history, [READ])
    reads = reads[(reads["phase"] == "final").to_numpy(dtype=bool)]
    try:
        changes = _changes(history)
    except NotATransaction as error:
        return Verdict(valid=None, why=str(error))
    settled_ns = changes[(changes["outcome"] == "ok").to_numpy(dtype=bool)].groupby("key")["done_ns"].max().to_dict()
    settled = np.array([settled_ns.get(key, -NEVER) for key in reads["key"].array], dtype=np.int64)
    reads = reads[reads["sent_ns"].to_numpy() > settled]
    named = bool((reads["node"] != "").all())
    last = reads.assign(reader=reads["node"] if named else reads["client"].astype("string"))
    last = last.sort_values("sent_ns", kind="stable").drop_duplicates(["key", "reader"], keep="last")
    last = last[last.duplicated("key", keep=False).to_numpy(dtype=bool)]
    if last.empty:
        return Verdict(
            valid=None, why=f"no key was read by two {'nodes' if named else 'clients'} after healing and its last change"
        )
    sets = last["key"].isin(calls(history, [ADD])["key"].unique()).to_numpy(dtype=bool)
    try:
        last = last.assign(seen=pd.concat([_without_spellings(last[~sets], changes), _sorted(last[sets])]))
    except NotArrays as error:
        return Verdict(valid=None, why=str(error))
    keys = last.groupby("key")["seen"].nunique(dropna=False)
    torn = keys.index[keys > 1]
    doubtful = changes[(changes["outcome"] == "unknown").to_numpy(dtype=bool)]
    of_sets = set(last["key"][sets])
    certain = [
        key
        for key in torn
        if not _explained(doubtful[doubtful["key"] == key], last["seen"][last["key"] == key], of_set=key in of_sets)
    ]
    if certain:
        who = "" if named else "client "
        shown = last[(last["key"] == certain[0]).to_numpy(dtype=bool)]
        told = ", ".join(f"{who}{row['reader']} reads {quoted(row['value'])}" for _, row in shown.iterrows())
        return Verdict(
            valid=False,
            why=f"{count(len(certain), 'key')} of {len(keys):,} not agreed about after healing: of {certain[0]} {told}",
            ops=tuple(sorted(int(op) for op in shown.index)),
        )
    if len(torn):
        return Verdict(
            valid=None,
            why=f"the readers of {torn[0]} disagree, but a change of it with unknown outcome may have come between their reads",
        )
    readers = last["reader"].nunique()
    return Verdict(
        valid=True,
        why=f"{count(readers, 'node' if named else 'client')} read the same of {count(len(keys), 'key')} after healing",
    )


def _changes(history: History) -> pd.DataFrame:
    """The calls that may have changed keys; a transaction once for each key that it writes. Raises `NotATransaction`."""
    found = calls(history, set(history.ops["kind"]) - {READ}, ("ok", "unknown"))
    made = found[(found["kind"] == TXN).to_numpy(dtype=bool)]
    if made["value"].isna().any():
        raise NotATransaction(f"it is not known what op {made.index[made['value'].isna()][0]}, a transaction, wrote")
    written = [(row, str(key)) for row, _, parts in transactions(made) for function, key, _ in parts if function != "r"]
    each = made.loc[[row for row, _ in written]].assign(key=[key for _, key in written])
    return pd.concat([found.drop(index=made.index), each]) if len(made) else found


def _explained(doubtful: pd.DataFrame, seen: pd.Series, *, of_set: bool) -> bool:
    """Whether changes of a key with unknown outcomes may be why its readers have seen different things."""
    if of_set:  # a delete may leave some elements too
        return not doubtful.empty
    if not doubtful["kind"].isin([WRITE, DELETE]).all():
        return True
    left = spelled(doubtful["value"]).mask(doubtful["kind"] == DELETE, pd.NA)
    others = seen[~seen.isin(left)]  # their readers have not seen such a change, so they must agree
    return len(others) < len(seen) and others.nunique(dropna=False) <= 1


def _without_spellings(last: pd.DataFrame, changes: pd.DataFrame) -> pd.Series:
    """The values in one spelling each; that nothing is there is 0 for counters, and null for logs and texts."""
    counters, appended = (
        last["key"].isin(changes["key"][changes["kind"].isin(kinds)].unique()).to_numpy(dtype=bool)
        for kinds in ((INCREMENT, DECREMENT), ("append",))
    )
    found = spelled(last["value"]).mask(counters & last["value"].isna().to_numpy(dtype=bool), "0")
    return found.mask(appended & found.isin(["", "[]"]).to_numpy(dtype=bool), pd.NA)


def _sorted(last: pd.DataFrame) -> pd.Series:
    """The elements of each array in order, as one text."""
    owner, _, texts = elements(last)
    each = pd.DataFrame({"at": owner, "text": texts}).sort_values(["at", "text"], kind="stable")
    joined = each.groupby("at")["text"].agg("\x00".join).reindex(range(len(last)))
    return pd.Series(joined.to_numpy(), index=last.index, dtype="string")


def judges(ops: pd.DataFrame) -> pd.Series[bool]:
    """The reads after healing."""
    return (ops["kind"] == READ) & (ops["phase"] == "final")


def applies(history: History) -> bool:
    """Whether there were reads after healing that two nodes answered: with one replica behind all, nothing can differ."""
    final = calls(history, [READ])
    final = final[(final["phase"] == "final").to_numpy(dtype=bool)]
    return final["node"][(final["node"] != "").to_numpy(dtype=bool)].nunique() > 1 and has(history, WRITE, INCREMENT, ADD)
