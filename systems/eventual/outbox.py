"""What this node's clients have written and other replicas have yet to be told. Pure.

Replication is asynchronous: a write is acknowledged when this node has it on its disk, and waits here, one hint for each peer,
until that peer has it too. While no other replica has it, nothing drops it: if no queue has room the write is refused, which is
how a client learns that it is too fast. As soon as one has it, hints for the others may be dropped, being too old or too many;
anti-entropy tells them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from systems.eventual.messages import State
from systems.parts.hints import Hint, Hints


class Outbox:
    """Hints for each peer, and an event for each that says that there are some."""

    def __init__(self, peers: Sequence[str], *, most: int, keep_s: float) -> None:
        self._peers = peers
        self._most = most
        self._hints = Hints[State](peers, most=most, keep_s=keep_s)
        self.waiting = {peer: asyncio.Event() for peer in peers}

    def has_room(self, key: str, beside: Collection[str] = ()) -> bool:
        """Whether a write of this key, with those that are to be left beside it, can be left for at least one peer."""
        if not self._peers or key in beside:
            return True
        return any(self._hints.count(peer) + len(beside) < self._most or self._hints.waits(peer, key) for peer in self._peers)

    def leave(self, key: str, state: State, now_s: float, *, again: bool = False) -> None:
        """A write is to be told to all peers, as far as there is room; `again`: as it was before a restart."""
        for peer in self._peers:
            if self._hints.leave(peer, key, state, now_s, again=again):
                self.waiting[peer].set()

    def oldest(self, peer: str, count: int) -> list[Hint[State]]:
        """What to tell a peer first."""
        hints = self._hints.oldest(peer, count)
        if not hints:
            self.waiting[peer].clear()
        return hints

    def delivered(self, peer: str, hint: Hint[State], now_s: float) -> None:
        """A peer has it on its disk."""
        self._hints.delivered(peer, hint, now_s)

    def expire(self, now_s: float) -> int:
        """Drop hints that are too old, except for what no other replica has; how many."""
        dropped = self._hints.expire(now_s, spare=lambda key: all(self._hints.waits(peer, key) for peer in self._peers))
        return sum(len(keys) for keys in dropped.values())

    def keys(self) -> set[str]:
        """Of which something waits."""
        return {hint.key for peer in self._peers for hint in self._hints.oldest(peer, self._hints.count(peer))}

    def count(self) -> int:
        """How many hints wait."""
        return sum(self._hints.count(peer) for peer in self._peers)
