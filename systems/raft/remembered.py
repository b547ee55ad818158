"""What a node must still know after a crash, compared with what a start would find on its disk."""

from __future__ import annotations

from collections.abc import Sequence

from systems.raft.core.core import Saved
from systems.raft.core.messages import Vows
from systems.raft.core.state import State


def forgotten(state: State, saved_index: int, vows: Sequence[Vows], found: Saved) -> str | None:
    """What a node would have forgotten that starts with `found`; None if nothing.

    `vows` are those on its disk, and any that it tried to write since, which may be there or not. Its entries are on the disk
    up to `saved_index`.
    """
    if found.vows not in vows:
        return f"it would know of {_as_text(found.vows)}, and not of {_as_text(vows[0])}"
    log, last = state.log, min(saved_index, state.saved_index)
    found_last = found.entries[-1].index if found.entries else found.base_index
    if found_last < last:
        return f"its log would end with index {found_last}, and {last} was saved"
    for entry in found.entries:
        term = log.term(entry.index) if entry.index <= last else None
        if term not in (None, entry.term):
            return f"it would hold an entry of term {entry.term} at index {entry.index}, and one of term {term} was saved"
    return None


def _as_text(vows: Vows) -> str:
    needed = "" if vows.votes_from is None else f", to vote from {vows.votes_from} on"
    return f"term {vows.term} with {'no vote' if vows.vote is None else f'a vote for {vows.vote}'}{needed}"
