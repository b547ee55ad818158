"""When may a node whose disk was damaged take part again?

Such a node may have voted in terms, and acknowledged entries, that it no longer knows of. If it went on with what is left, a
second leader could be elected in one term, or a committed entry be outvoted. So it first asks every other member for its
term and for the end of its log, and answers nothing before all have told.

It then takes the highest of the terms for its own, as if it had voted for itself in it: whoever had its vote, or made it
promise a term, has told that term or a later one. It holds nothing, so it is sent everything; and it votes again when its log
is at least as up to date as the most up to date one that it was told of. Whatever it had acknowledged was then in the log of
the leader that asked it to, which has told: whoever is elected meanwhile without its vote has it, and so has this node once it
has caught up.

The problem, and what naive ways out of it break, are in Alagappan et al., "Protocol-Aware Recovery for Consensus-Based
Storage", FAST 2018. This way is simpler and waits for more: for all others, once.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from systems.raft.core.messages import Members, Vows


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What another node tells of itself."""

    term: int
    last_term: int
    last_index: int
    members: Members


def vows_after(told: Mapping[str, Told], name: str, initial: Members) -> Vows | None:
    """What the node with this name holds to from now on; None as long as somebody has not told.

    `initial` are the members that the group began with, as far as the node was told.
    """
    members = {*initial.all}.union(*(one.members.all for one in told.values())) - {name}
    if not members or not members <= set(told):
        return None
    return Vows(max(one.term for one in told.values()), name, max((one.last_term, one.last_index) for one in told.values()))
