"""How a node whose disk was damaged may take part again.

Such a node may have voted in terms, and acknowledged entries, that it has forgotten. If it continued with what is left, two
leaders could be elected in one term, or a committed entry could be lost. So it first asks every other member for its term and
the end of its log, and answers nothing before all have replied.

It then adopts the highest of these terms, and gives no vote in it: any node that got its vote, or that made it enter a term,
has reported that term or a later one. Its log is empty, so it is sent everything. Until its log is at least as up to date as
the most up-to-date one that was reported, it votes in later terms as if it ended like that one. Whatever it had acknowledged
was in the log of the leader that sent it, and that log's end was reported: so a candidate whose log is as up to date as that
has these entries if they are committed. Waiting with votes until its own log is filled would be safe, too; but if only one
other node has the last entry, such as a change of members that needs this node's vote, no leader could be elected to fill it.

Alagappan et al., "Protocol-Aware Recovery for Consensus-Based Storage", FAST 2018, describe the problem and what naive
solutions break. This solution is simpler, but waits for more: once for all other members.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from systems.raft.core.messages import Members, Vows

FORGOTTEN: Final = "?"
"""The vote of a node that does not know whether, and for whom, it has voted in its term. No node has this name."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What another node reports about itself."""

    term: int
    last_term: int
    last_index: int
    members: Members


def vows_after(told: Mapping[str, Told], name: str, initial: Members) -> Vows | None:
    """The vows that the node with this name starts again with; None while a member has not reported.

    `initial` are the group's initial members according to the node's configuration.
    """
    members = {*initial.all}.union(*(one.members.all for one in told.values())) - {name}
    if not members or not members <= set(told):
        return None
    return Vows(
        max(one.term for one in told.values()), FORGOTTEN, max((one.last_term, one.last_index) for one in told.values())
    )
