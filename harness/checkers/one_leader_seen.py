"""Check that clients see one leader per term."""

from __future__ import annotations

from typing import Final

import msgspec
import pandas as pd

from harness.checkers._calls import calls, has
from harness.checkers._wording import count, listed
from harness.model.history import History
from harness.model.verdict import Verdict
from harness.model.vocabulary import LEADER

KINDS: Final = (LEADER,)


class _Seen(msgspec.Struct, frozen=True):
    leader: str | None
    term: int


def one_leader_seen(history: History) -> Verdict:
    """No two answers to "who leads?" name different leaders of one term.

    Judges answered `leader` calls, whose value is `{"leader": "n1", "term": 3}`; each key is a group of its own, and a null
    leader says that none is known. It looks from outside: two leaders of a term that no client asked about stay unseen;
    `one_leader_per_term` finds those if nodes report them. It is not wrong to name an old leader. O(n). The property is
    election safety: D. Ongaro, J. Ousterhout, "In Search of an Understandable Consensus Algorithm", USENIX ATC 2014, figure
    3.
    """
    found = calls(history, [LEADER])
    try:
        seen = [msgspec.json.decode(text if isinstance(text, str) else "", type=_Seen) for text in found["value"].array]
    except msgspec.DecodeError:
        return Verdict(valid=None, why='the value of an answered leader call is not of the form {"leader": "n1", "term": 3}')
    found = found.assign(leader=pd.array([each.leader for each in seen], dtype="string"), term=[each.term for each in seen])
    found = found[found["leader"].notna().to_numpy(dtype=bool)]
    if found.empty:
        return Verdict(valid=None, why="no answer named a leader")
    leaders = found.groupby(["key", "term"], dropna=False)["leader"].nunique()
    torn = leaders[leaders > 1]
    if torn.empty:
        told = f"{count(len(leaders), 'term')}, each with one leader in {count(len(found), 'answer')}"
        return Verdict(valid=True, why=told)
    key, term = torn.index[0]
    same = (found["term"] == term).to_numpy(dtype=bool) & (
        found["key"].isna() if pd.isna(key) else found["key"] == key
    ).to_numpy(bool)
    answers = found[same].drop_duplicates("leader")
    told = listed([f"{row['leader']} (op {op})" for op, row in answers.iterrows()])
    return Verdict(
        valid=False,
        why=f"{count(len(torn), 'term')} with more than one leader: term {term} had {told}",
        ops=tuple(int(op) for op in answers.index[:10]),
    )


def applies(history: History) -> bool:
    """Whether clients asked who leads."""
    return has(history, LEADER)
