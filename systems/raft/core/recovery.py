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
committed: the copies of a learner that becomes a voter count only when it knows that. A voter that leaves counts until it knows
that its removal is committed; from then on all committed entries are with the voters that stay, and these are asked once more,
since they may have got them after they had answered.

Alagappan et al., "Protocol-Aware Recovery for Consensus-Based Storage", FAST 2018, describe the problem and what naive
solutions break. This solution is simpler, but waits for more: until all other members have answered twice in succession.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from systems.raft.core.messages import Members, Vows
from systems.raft.core.state import State

FORGOTTEN: Final = "?"
"""The vote of a node that does not know whether, and for whom, it has voted in its term. No node has this name."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What another node reports about itself."""

    term: int
    last_term: int
    last_index: int
    """The last entry on its disk. It has sent no later one."""
    members: tuple[str, ...]
    """All that may be members: as of the last commit that it knows of, and after each later change in its log."""
    may_campaign: bool
    """See `State.may_campaign`."""


def report(state: State) -> Told | None:
    """What a node in this state reports; None if its own disk was damaged, and it has not caught up yet."""
    if not state.complete:
        return None
    index = max(state.saved_index, state.log.base_index)
    last_term = state.log.term(index)
    assert last_term is not None  # noqa: S101 - it is on the disk
    names = dict.fromkeys(name for members in state.log.members_since(state.commit) for name in members.all)
    return Told(
        term=state.term, last_term=last_term, last_index=index, members=tuple(names), may_campaign=state.may_campaign
    )  # fmt: skip


class Recovery:
    """Works out from the reports of all others how a node may take part again. It is given round after round of them."""

    def __init__(self, name: str, initial: Members) -> None:
        """`initial` are the group's initial members according to the configuration of the node, which has this name."""
        self._name = name
        self._initial = initial.all
        self._counted: set[str] | None = None
        """Whose logs counted in the last round; None if not all members had reported."""

    def vows_after(self, told: Mapping[str, Told]) -> Vows | None:
        """The vows that the node starts again with, after a round of reports; None if there must be another round.

        A round's reports are asked for when the previous round is over.
        """
        before, self._counted = self._counted, self._whose_logs_count(told)
        if before is None or self._counted is None or not before <= self._counted:
            return None
        votes_from = max((told[name].last_term, told[name].last_index) for name in self._counted)
        return Vows(max(one.term for one in told.values()), FORGOTTEN, votes_from)

    def _whose_logs_count(self, told: Mapping[str, Told]) -> set[str] | None:
        members = {*self._initial}.union(*(one.members for one in told.values())) - {self._name}
        if not members or not members <= set(told):
            return None
        return {name for name, one in told.items() if one.may_campaign} or set(told)
