"""What nodes of a Raft group store and send each other. Values only; the other modules of this package act on them."""

from __future__ import annotations

import msgspec


class Members(msgspec.Struct, frozen=True, array_like=True):
    """The members of a group. Voters elect and commit; learners receive the log until they have caught up and may vote."""

    voters: tuple[str, ...]
    learners: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join([*self.voters, *(f"({name})" for name in self.learners)])

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.voters, *self.learners)


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One entry of the log: a command, a change of members, or neither (the first entry of a leader's term)."""

    index: int
    term: int
    data: str = ""
    members: Members | None = None

    def __str__(self) -> str:
        return f"{self.index}/{self.term} {self.members or self.data or '-'}"


class Vows(msgspec.Struct, frozen=True, array_like=True):
    """What a node must never forget, besides its log: its term, and its vote in that term."""

    term: int = 0
    vote: str | None = None
    votes_from: tuple[int, int] | None = None
    """If its disk was damaged: the term and index at which its log may have ended, until it reaches them; see `recovery`."""


class Snapshot(msgspec.Struct, frozen=True):
    """The state machine after all entries up to `index`, the last of which is of `term`, and the members at that point."""

    index: int
    term: int
    members: Members
    data: str


class _Message(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    term: int
    """The sender's term."""


class PreVote(_Message, frozen=True, tag=True, kw_only=True):
    """Would you vote for me in the next term? The answer promises nothing (Ongaro's thesis, section 9.6)."""

    last_index: int
    last_term: int


class PreVoteAnswer(_Message, frozen=True, tag=True, kw_only=True):
    granted: bool


class Vote(_Message, frozen=True, tag=True, kw_only=True):
    """Vote for me in this term."""

    last_index: int
    last_term: int
    transfer: bool = False
    """The leader itself asked for this election, so voters must not refuse because it is alive."""


class VoteAnswer(_Message, frozen=True, tag=True, kw_only=True):
    granted: bool


class Append(_Message, frozen=True, tag=True, kw_only=True):
    """These entries follow the previous one; everything up to `commit` is committed. Without entries it is a heartbeat."""

    previous_index: int
    previous_term: int
    entries: tuple[Entry, ...] = ()
    commit: int
    round: int
    """The number of the leader's last heartbeat to all in its term; see `reads`."""


class Install(_Message, frozen=True, tag=True, kw_only=True):
    """A piece of a snapshot to start your log from: I no longer have entries that you lack. See `pieces`."""

    index: int
    """The index of the last entry that the snapshot holds."""
    entry_term: int
    """The term of that entry."""
    members: Members
    size: int
    """The size of the whole snapshot, in characters."""
    checksum: int
    """The checksum of the whole snapshot."""
    offset: int
    """Where in the snapshot this piece begins."""
    data: str
    round: int


class Installing(_Message, frozen=True, tag=True, kw_only=True):
    """The answer to an `Install` while pieces are missing: I have the snapshot of `index` up to `offset`."""

    index: int
    offset: int
    round: int


class Appended(_Message, frozen=True, tag=True, kw_only=True):
    """The answer to `Append`, and to the last `Install`. `match` is the last entry that both logs share; if the entries were
    not accepted, the last one that they may share."""

    accepted: bool
    match: int
    round: int


class CampaignNow(_Message, frozen=True, tag=True, kw_only=True):
    """Your log is complete and I am stepping down: start an election now (thesis, section 3.10)."""


Message = PreVote | PreVoteAnswer | Vote | VoteAnswer | Append | Install | Installing | Appended | CampaignNow


class Sent(msgspec.Struct, frozen=True, array_like=True):
    """A message and its recipient."""

    target: str
    message: Message
