"""What a node of a group is at any moment, whatever its role."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from systems.raft.core.log import Log
from systems.raft.core.messages import Entry, Message, Sent, Snapshot, Vows
from systems.raft.core.pieces import Receiving
from systems.raft.rules import CORRECT, Rules


@dataclass(frozen=True, kw_only=True)
class Timing:
    """In milliseconds. Elections begin between one and two timeouts after a leader was last heard, at random."""

    election_ms: int = 400
    heartbeat_ms: int = 50
    lease_ms: int | None = None
    """For how long after it began to ask a leader that was confirmed answers reads without asking again; None: it always asks.

    It rests on clocks: a follower that heard the leader votes for none other for `election_ms` of its own clock, so no two
    clocks may run so differently that `lease_ms` of one is more than that. Only rates matter, not what clocks show. With
    80% of `election_ms`, one clock may be a quarter faster than the other; the kernel slews them by 0.05% at most.
    """
    batch: int = 256
    """Most entries a message."""
    batch_bytes: int = 256 * 1024
    """A message that has grown to this takes no further entry."""
    piece: int = 256 * 1024
    """Most characters of a snapshot a message."""
    in_flight_bytes: int = 4 * 1024 * 1024
    """With so much sent, nothing more is sent to a node before it has answered."""


@dataclass(kw_only=True)
class State:
    """See the module. Roles read and change it; nothing else does."""

    name: str
    log: Log
    vows: Vows
    random: Random
    timing: Timing
    rules: Rules = CORRECT
    snapshot: Snapshot | None = None
    now_ms: int = 0
    commit: int = 0
    leader: str | None = None
    """Who leads this term, as far as it is known."""
    heard_ms: int | None = None
    """When a leader was last heard; None if this node never heard one."""
    saved_index: int = 0
    """The last entry that is on the disk."""
    unsaved_from: int = 0
    """The first entry that is not."""
    receiving: Receiving = field(init=False)
    """What has come of a snapshot from the leader."""
    installed: Snapshot | None = None
    """A snapshot that came from the leader and has yet to be saved."""
    outbox: list[Sent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.receiving = Receiving(self.rules)

    @property
    def term(self) -> int:
        return self.vows.term

    @property
    def last(self) -> tuple[int, int]:
        """The log's last entry by term, then index: which of two logs is more up to date (§5.4.1)."""
        return self.log.last_term, self.log.last_index

    @property
    def may_vote(self) -> bool:
        """Whether it knows all that it ever promised."""
        return self.vows.votes_from is None

    @property
    def may_campaign(self) -> bool:
        return self.may_vote and self.name in self.voters

    def send(self, target: str, message: Message) -> None:
        """To be sent when all that there is to save has been saved."""
        self.outbox.append(Sent(target, message))

    def append(self, entry: Entry) -> None:
        self.unsaved_from = min(self.unsaved_from, entry.index)
        self.log.append(entry)

    def truncate(self, index: int) -> None:
        self.log.truncate(index)
        self.unsaved_from = min(self.unsaved_from, index)
        self.saved_index = min(self.saved_index, index - 1)

    def majority_of(self, values: list[int]) -> int:
        """The largest number that a majority of these, one a voter, is not below."""
        more = len(values) // 2 + (1 if self.rules.majority_is_more_than_half else 0)
        return sorted(values, reverse=True)[max(more, 1) - 1]

    @property
    def voters(self) -> tuple[str, ...]:
        """Those whose votes, and whose copies of an entry, count."""
        return self.log.members.voters

    def leader_lives(self) -> bool:
        """Whether one may still lead, because it was heard less than an election timeout ago (thesis 4.2.3 and 6.4.1)."""
        return self.heard_ms is not None and self.now_ms - self.heard_ms < self.timing.election_ms

    def election_timeout_ms(self) -> int:
        """When to begin an election, if nothing comes in between."""
        election_ms = self.timing.election_ms
        if self.heard_ms is None:
            election_ms //= 4  # in a new group there is no leader to wait for
        return self.now_ms + election_ms + self.random.randrange(election_ms)
