"""What a node does as follower, candidate or leader: a role is an object that lasts as long as the node is that."""

from __future__ import annotations

from enum import Enum, auto
from typing import Literal, Protocol

from systems.raft.core.messages import Message

RoleName = Literal["follower", "pre-candidate", "candidate", "leader"]


class Turn(Enum):
    """What a node becomes next."""

    ASK = auto()
    """Time is over without a leader: ask whether the others would vote."""
    CAMPAIGN = auto()
    """They would: ask for their votes in a new term."""
    CAMPAIGN_AT_ONCE = auto()
    """The leader asked for it."""
    LEAD = auto()
    FOLLOW = auto()
    """Wait in the same term for whoever leads."""


class Role(Protocol):
    """See the module. What comes is of the node's own term: `core` sees to terms and to requests for votes."""

    name: RoleName

    def tick(self) -> Turn | None:
        """Time has passed."""

    def step(self, source: str, message: Message) -> Turn | None:
        """A message has come."""

    def flush(self) -> None:
        """Send what was left until all that came at once is known."""

    def saved(self) -> Turn | None:
        """What there was to save is on the disk."""
