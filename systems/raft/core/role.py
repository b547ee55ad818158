"""Roles: what a node does as follower, candidate or leader. A role object lives as long as the node has that role."""

from __future__ import annotations

from enum import Enum, auto
from typing import Literal, Protocol

from systems.raft.core.messages import Message

RoleName = Literal["follower", "pre-candidate", "candidate", "leader"]


class Turn(Enum):
    """A change of role."""

    ASK = auto()
    """No leader was heard in time: ask whether the others would vote for this node."""
    CAMPAIGN = auto()
    """They would: ask for their votes in a new term."""
    CAMPAIGN_AT_ONCE = auto()
    """The leader asked for an election."""
    LEAD = auto()
    FOLLOW = auto()
    """Wait for a leader in the same term."""


class Role(Protocol):
    """A node's role. Messages are of the node's own term: `core` handles terms and requests for votes."""

    name: RoleName

    @property
    def due_ms(self) -> int:
        """The time from which `tick` may do something, if no message arrives before."""

    def tick(self) -> Turn | None:
        """Time has passed."""

    def step(self, source: str, message: Message) -> Turn | None:
        """A message has arrived."""

    def flush(self) -> None:
        """Send what was deferred until all simultaneous inputs are known."""

    def saved(self) -> Turn | None:
        """Everything that was to be saved is on the disk."""
