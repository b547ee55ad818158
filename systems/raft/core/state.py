"""The state of a group's node, whatever its role."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from systems.raft.core.log import Log
from systems.raft.core.messages import Entry, Message, Sent, Snapshot, Vows
from systems.raft.core.pieces import Receiving
from systems.raft.rules import CORRECT, Rules


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Timing and sizes. Elections begin at a random time, one to two election timeouts after a leader was last heard."""

    election_ms: int = 400
    heartbeat_ms: int = 50
    lease_ms: int | None = None
    """How long a confirmed leader answers reads without asking again, counted from when the confirmed round began; None: it
    always asks.

    This relies on clocks: a follower that heard the leader votes for no other node for `election_ms` by its own clock, so
    `lease_ms` on one clock must be no longer than `election_ms` on another. Only rates matter, not what clocks show. With 80%
    of `election_ms`, one clock may be a quarter faster than the other; the kernel slews clocks by at most 0.05%.
    """
    batch: int = 256
    """The most entries in a message."""
    batch_bytes: int = 256 * 1024
    """A message that has reached this size takes no further entry."""
    piece: int = 256 * 1024
    """The most characters of a snapshot in a message."""
    in_flight_bytes: int = 4 * 1024 * 1024
    """With this much unanswered, nothing more is sent to a node.

    All three are what a good link carries within `election_ms`. Over a thin one it is less: see `Core.limit`."""


@dataclass(kw_only=True)
class State:
    """A node's state. Only `core` and the roles read and change it."""

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
    """The leader of this term, if known."""
    heard_ms: int | None = None
    """When a leader was last heard; None if this node never heard one."""
    saved_index: int = 0
    """The last entry that is on the disk."""
    unsaved_from: int = 0
    """The first entry that is not on the disk."""
    receiving: Receiving = field(init=False)
    """The part of a snapshot that has arrived from the leader."""
    installed: Snapshot | None = None
    """A snapshot from the leader that is still to be saved."""
    outbox: list[Sent] = field(default_factory=list)
    limits: dict[str, int] = field(default_factory=dict)
    """By node, how many characters of entries, or of a snapshot, may be on their way to it; see `Core.limit`."""

    def __post_init__(self) -> None:
        self.receiving = Receiving(self.rules)

    @property
    def term(self) -> int:
        return self.vows.term

    @property
    def last(self) -> tuple[int, int]:
        """The log's last entry as (term, index): the larger one is the more up-to-date log (§5.4.1)."""
        return self.log.last_term, self.log.last_index

    @property
    def complete(self) -> bool:
        """Whether the log holds everything that this node may have acknowledged: false while a damaged one is filled again."""
        return self.vows.votes_from is None

    @property
    def may_campaign(self) -> bool:
        """Whether the node may stand for election: a voter, or one that has been removed, until it knows that its removal is
        committed. Its log may be the only one that holds the removal, and then no other node gets a majority (thesis 4.2.2).
        After a restart it may know of no commit, not even of the entry by which it joined."""
        return self.complete and any(self.name in members.voters for members in self.log.members_since(self.commit))

    def send(self, target: str, message: Message) -> None:
        """Send a message once everything that is to be saved has been saved."""
        self.outbox.append(Sent(target, message))

    def append(self, entry: Entry) -> None:
        self.unsaved_from = min(self.unsaved_from, entry.index)
        self.log.append(entry)

    def truncate(self, index: int) -> None:
        self.log.truncate(index)
        self.unsaved_from = min(self.unsaved_from, index)
        self.saved_index = min(self.saved_index, index - 1)

    def majority_of(self, values: list[int]) -> int:
        """The largest number that a majority of these values, one per voter, reaches."""
        more = len(values) // 2 + (1 if self.rules.majority_is_more_than_half else 0)
        return sorted(values, reverse=True)[max(more, 1) - 1]

    @property
    def voters(self) -> tuple[str, ...]:
        """The members whose votes, and whose copies of an entry, count."""
        return self.log.members.voters

    def leader_lives(self, now_ms: int) -> bool:
        """Whether a leader was heard less than an election timeout ago, and may still lead (thesis 4.2.3 and 6.4.1)."""
        return self.heard_ms is not None and now_ms - self.heard_ms < self.timing.election_ms

    def election_timeout_ms(self) -> int:
        """When to begin an election, unless a leader is heard before."""
        election_ms = self.timing.election_ms
        if self.heard_ms is None:
            election_ms //= 4  # in a new group there is no leader to wait for
        return self.now_ms + election_ms + self.random.randrange(election_ms)
