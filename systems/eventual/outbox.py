"""The writes of this node's clients that other replicas still lack. Pure.

Replication is asynchronous: a node acknowledges a write when it is on its disk, and keeps one hint for each peer here until
that peer has it, too. While no other replica has it, nothing drops it: if no queue has room, the node refuses the write, which
is how a client learns that it is too fast. As soon as one replica has it, hints for the others may be dropped because they are
too old or too many; anti-entropy brings them the write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

from systems.eventual.messages import State
from systems.parts.hints import Hint, Hints


class Outbox:
    """Hints for each peer, and an event for each peer that is set while there are some."""

    def __init__(self, peers: Sequence[str], *, most: int, keep_s: float) -> None:
        self._peers = peers
        self._most = most
        self._hints = Hints[State](peers, most=most, keep_s=keep_s)
        self._untold: dict[str, State] = {}
        """The last write of each key that no other replica has yet. Some peers' queues may have had no room for it."""
        self.waiting = {peer: asyncio.Event() for peer in peers}

    def has_room(self, key: str, beside: Collection[str] = ()) -> bool:
        """Whether a write of this key, together with those of the keys `beside`, fits into at least one peer's queue."""
        if not self._peers or key in beside:
            return True
        return any(self._hints.count(peer) + len(beside) < self._most or self._hints.waits(peer, key) for peer in self._peers)

    def leave(self, key: str, state: State, now_s: float, *, again: bool = False) -> None:
        """Leave a hint for each peer that has room; `again`: it was there before a restart."""
        for peer in self._peers:
            if self._hints.leave(peer, key, state, now_s, again=again):
                self._untold[key] = state
                self.waiting[peer].set()

    def oldest(self, peer: str, count: int) -> list[Hint[State]]:
        """The oldest hints for a peer."""
        hints = self._hints.oldest(peer, count)
        if not hints:
            self.waiting[peer].clear()
        return hints

    def delivered(self, peer: str, hint: Hint[State], now_s: float) -> None:
        """A peer has the hint's write on its disk."""
        self._hints.delivered(peer, hint, now_s)
        if self._untold.get(hint.key) == hint.what:
            del self._untold[hint.key]

    def expire(self, now_s: float) -> int:
        """Drop hints that are too old, except for writes that no other replica has; how many."""
        dropped = self._hints.expire(now_s, spare=self._untold.__contains__)
        return sum(len(keys) for keys in dropped.values())

    def keys(self) -> set[str]:
        """The keys that have hints."""
        return {hint.key for peer in self._peers for hint in self._hints.oldest(peer, self._hints.count(peer))}

    @property
    def untold(self) -> Mapping[str, State]:
        """The last write of each key that no other replica has yet, read-only."""
        return self._untold

    def by_peer(self) -> list[Mapping[str, Hint[State]]]:
        """The hints for each peer by key, read-only."""
        return [self._hints.of(peer) for peer in self._peers]

    def count(self) -> int:
        """How many hints wait."""
        return sum(self._hints.count(peer) for peer in self._peers)
