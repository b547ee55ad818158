"""How a node whose disk was damaged may take part again.

Such a node may have voted in terms, and acknowledged entries, that it has forgotten. If it continued with what is left, two
leaders could be elected in one term, or a committed entry could be lost. So it first asks every other member for its term and
the end of its log, and answers nothing before all have replied.

It then adopts the highest of these terms, and gives no vote in it: any node that got its vote, or that made it enter a term,
has reported that term or a later one. Its log is empty, so it is sent everything. Until its log is at least as up to date as
the most up-to-date one that was reported, it votes in later terms as if it ended like that one. An entry that it had
acknowledged, and that is committed, is also on the disks of other voters, and the ends of their logs were reported: so a
candidate whose log is as up to date as that has the entry. Waiting with votes until its own log is filled would be safe, too;
but if only one other node has the last entry, such as a change of members that needs this node's vote, no leader could be
elected to fill it.

For the same reason only logs count with which a node can be elected. A leader that has left the group, or a learner, may hold
entries that no voter has: if this node voted from their end on, nobody could ever get its vote. None of these entries is
committed. A voter that leaves counts until it knows that its removal is committed; from then on all committed entries are with
the voters that stay. A learner that was a voter before was removed in between.

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
    """The last entry on its disk. It has sent no later one."""
    members: Members
    may_campaign: bool
    """See `State.may_campaign`."""


def vows_after(told: Mapping[str, Told], name: str, initial: Members) -> Vows | None:
    """The vows that the node with this name starts again with; None while a member has not reported.

    `initial` are the group's initial members according to the node's configuration.
    """
    members = {*initial.all}.union(*(one.members.all for one in told.values())) - {name}
    if not members or not members <= set(told):
        return None
    counted = [one for one in told.values() if one.may_campaign] or [*told.values()]
    votes_from = max((one.last_term, one.last_index) for one in counted)
    return Vows(max(one.term for one in told.values()), FORGOTTEN, votes_from)
