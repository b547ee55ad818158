"""What a node shows to whoever can see all nodes at once: see `harness.node.context.NodeContext.show`."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field

from systems.parts.hints import Hint
from systems.parts.silence import Heard
from systems.quorum.comparing import Comparing, Undone
from systems.quorum.finished import Told
from systems.quorum.messages import Entry, ReplicaRequest
from systems.quorum.replica import Held, Release, Replica
from systems.quorum.upkeep import Digests


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A node's state. It is read only, and goes on changing."""

    entries: Mapping[str, Entry] | None
    """What it holds itself; None if its log is damaged."""
    kept: Mapping[str, Mapping[str, Hint[Entry]]] = field(default_factory=dict)
    """What it keeps for others, by replica and key."""
    digests: Digests | None = None
    changed: Container[str] = ()
    """Keys whose entries have changed since their digests were computed."""
    compared: Mapping[str, int] = field(default_factory=dict)
    """How often it has begun to compare itself with each peer."""
    start: int = 0
    """The number of its start."""
    heard: Mapping[str, Heard] = field(default_factory=dict)
    """What has come from each peer."""
    undone: Sequence[Undone] = ()
    """The last compare-and-sets of which it told the client that they have not taken effect."""
    told: Sequence[Told] = ()
    """What it answered clients with last …"""
    answers: int = 0
    """… and how many answers there were in all."""
    comparing: Sequence[Comparing] = ()
    """Those that are under way."""
    floor: int = 0
    """The highest counter of the tombstones that it has dropped."""
    rebuilt: Callable[[Mapping[str, Sequence[Held]]], Replica | None] = field(default=lambda others: None)
    """What it would hold if it lost its log, and these others told it what they hold; None if they are too few."""
    lost_log_for_s: float | None = None
    """How long ago it started with a damaged log; None if it did not."""
    changes: Callable[[Sequence[ReplicaRequest | Release]], Sequence[Held]] | None = None
    """What requests would change that it carried out together."""
