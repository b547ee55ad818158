"""What nodes of a Raft group keep and send each other. Values only; the modules beside this one act on them."""

from __future__ import annotations

import msgspec


class Members(msgspec.Struct, frozen=True, array_like=True):
    """Who belongs to a group. Voters elect and commit; learners are given the log until they have caught up and may vote."""

    voters: tuple[str, ...]
    learners: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join([*self.voters, *(f"({name})" for name in self.learners)])

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.voters, *self.learners)


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One entry of the log: a command, a change of members, or neither (what a new leader begins its term with)."""

    index: int
    term: int
    data: str = ""
    members: Members | None = None

    def __str__(self) -> str:
        return f"{self.index}/{self.term} {self.members or self.data or '-'}"


class Vows(msgspec.Struct, frozen=True, array_like=True):
    """What a node must not forget whatever happens, besides its log: the term it is in, and whom it voted for in that term."""

    term: int = 0
    vote: str | None = None
    votes_from: tuple[int, int] | None = None
    """If its disk was damaged: the term and index that the end of its log must reach until it votes; see `recovery`."""


class Snapshot(msgspec.Struct, frozen=True):
    """The state machine as all entries up to `index`, the last of which is of `term`, have made it; and the members then."""

    index: int
    term: int
    members: Members
    data: str


class _Message(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    term: int
    """The sender's."""


class PreVote(_Message, frozen=True, tag=True, kw_only=True):
    """Would you vote for me in the next term? Nothing is promised by the answer (Ongaro's thesis, section 9.6)."""

    last_index: int
    last_term: int


class PreVoteAnswer(_Message, frozen=True, tag=True, kw_only=True):
    granted: bool


class Vote(_Message, frozen=True, tag=True, kw_only=True):
    """Vote for me in this term."""

    last_index: int
    last_term: int
    transfer: bool = False
    """The leader itself asked for this election: its being alive is no reason to refuse."""


class VoteAnswer(_Message, frozen=True, tag=True, kw_only=True):
    granted: bool


class Append(_Message, frozen=True, tag=True, kw_only=True):
    """These entries come after that one; everything up to `commit` is committed. Without entries it is a heartbeat."""

    previous_index: int
    previous_term: int
    entries: tuple[Entry, ...] = ()
    commit: int
    round: int
    """Counts what the leader has sent to all at once in its term; see `reads`."""


class Install(_Message, frozen=True, tag=True, kw_only=True):
    """A piece of a snapshot to begin your log with: entries that you lack are gone here. See `pieces`."""

    index: int
    """Of the last entry that the snapshot holds."""
    entry_term: int
    """Of the same entry."""
    members: Members
    size: int
    """Of the whole snapshot, in characters."""
    checksum: int
    """Of the whole snapshot."""
    offset: int
    """Where in the snapshot this piece begins."""
    data: str
    round: int


class Installing(_Message, frozen=True, tag=True, kw_only=True):
    """The answer to an `Install` as long as pieces are missing: what is there of the snapshot of `index` ends at `offset`."""

    index: int
    offset: int
    round: int


class Appended(_Message, frozen=True, tag=True, kw_only=True):
    """The answer to `Append`, and to the last `Install`. `match` is the last entry known to be the leader's as well; if the
    entries were not accepted, the last one that may be."""

    accepted: bool
    match: int
    round: int


class CampaignNow(_Message, frozen=True, tag=True, kw_only=True):
    """Your log is complete and I am leaving: be elected (thesis, section 3.10)."""


Message = PreVote | PreVoteAnswer | Vote | VoteAnswer | Append | Install | Installing | Appended | CampaignNow


class Sent(msgspec.Struct, frozen=True, array_like=True):
    """A message on its way."""

    target: str
    message: Message
