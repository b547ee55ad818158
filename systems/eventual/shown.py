"""What a node shows to whoever can see all nodes at once: see `harness.node.context.NodeContext.show`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from systems.eventual.agreeing import Attempts
from systems.eventual.messages import State
from systems.eventual.outbox import Outbox
from systems.eventual.resolution import Resolution
from systems.eventual.session_reads import SessionReads
from systems.eventual.storage import Change, Changed
from systems.parts.merkle import MerkleTree


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A node's state. It is read only, and goes on changing."""

    states: Mapping[str, State]
    """The state of each key that it holds."""
    tree: MerkleTree | None = None
    """The digests of these."""
    life: int = 0
    """A new one each time that it has lost what it held: see `identity`."""
    had_by: Callable[[str], Collection[str]] = field(default=lambda key: ())
    """Which replicas it counts as having had the tombstone of a key, if it holds that."""
    session_reads: SessionReads = field(default_factory=SessionReads)
    now_s: float = 0.0
    """The time by its monotonic clock."""
    resolution: Resolution | None = None
    """How it resolves concurrent writes."""
    attempts: Sequence[Attempts] = ()
    """Its attempts to agree with peers: by anti-entropy, and by read repair."""
    compared: Mapping[str, int] = field(default_factory=dict)
    """How often it has begun to compare itself with each peer in turn."""
    outbox: Outbox | None = None
    """What it keeps for its peers."""
    changes: Callable[[Sequence[Change]], Changed] | None = None
    """What changes would leave of their keys if it carried them out together."""
