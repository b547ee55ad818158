"""Check that ids that were handed out are unique."""

from __future__ import annotations

from typing import Final

from harness.checkers._calls import calls, has, rows
from harness.checkers._wording import count
from harness.model.history import History
from harness.model.verdict import Verdict
from harness.model.vocabulary import GENERATE

KINDS: Final = (GENERATE,)


def unique_ids(history: History) -> Verdict:
    """No id is handed out twice.

    Judges `generate` calls; each key is a namespace of its own, and ids are compared as texts. A call without an answer got no
    id, as far as a client can tell. O(n). The same as the check of Maelstrom's workload "unique-ids".
    """
    found = calls(history, [GENERATE])
    found = found[found["value"].notna().to_numpy(dtype=bool)]
    if found.empty:
        return Verdict(valid=None, why="no id was handed out")
    again = found.duplicated(["key", "value"], keep=False).to_numpy(dtype=bool)
    if not again.any():
        return Verdict(valid=True, why=f"{count(len(found), 'id')}, no two alike")
    repeated = found[again]
    first = repeated.iloc[0]
    same = ((repeated["key"] == first["key"]) & (repeated["value"] == first["value"])).to_numpy(dtype=bool)
    clients = " and ".join(f"client {client} (op {op})" for op, client in repeated["client"][same].iloc[:2].items())
    more = len(repeated.drop_duplicates(["key", "value"]))
    return Verdict(
        valid=False,
        why=f"{count(more, 'id')} handed out more than once: {first['value']} to {clients}",
        ops=rows(repeated, same),
    )


def applies(history: History) -> bool:
    """Whether ids were asked for."""
    return has(history, GENERATE)
