"""Tombstones, and when a node may drop them. Pure.

If one replica drops a tombstone while another one still holds the deleted value, the value comes back. So each node keeps it
until

1. every other replica has had it on its disk, and
2. a grace period has passed since the last one said so, by this node's own monotonic clock.

The grace period is for messages: one that a replica composed before it had the tombstone may still be on its way with the
deleted value. Each `Store` names a window of time that its receiver told the sender before. The receiver refuses a `Store`
whose window is older than the grace period, and the sender sends its current states instead. No two clocks are compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from systems.eventual.messages import State


@dataclass
class _Grave:
    state: State
    since_s: float
    had_by: set[str] = field(default_factory=set)


class Graves:
    """The tombstones that a node holds. Times are seconds of its monotonic clock."""

    def __init__(self, peers: Iterable[str], *, grace_s: float) -> None:
        self._peers = frozenset(peers)
        self._grace_s = grace_s
        self._graves: dict[str, _Grave] = {}

    def __len__(self) -> int:
        return len(self._graves)

    def dug(self, key: str, state: State, now_s: float) -> None:
        """A key's state is a tombstone from now on."""
        self._graves[key] = _Grave(state, now_s)

    def opened(self, key: str) -> None:
        """A key's state is no longer a tombstone: the key was written again, or the tombstone was dropped."""
        self._graves.pop(key, None)

    def had(self, peer: str, key: str, state: State, now_s: float) -> None:
        """A replica has this state of a key, or one that includes it, or does not hold the key at all."""
        grave = self._graves.get(key)
        if grave is not None and grave.state == state:
            grave.since_s = grave.since_s if peer in grave.had_by else now_s
            grave.had_by.add(peer)

    def untold(self, peer: str, count: int) -> list[str]:
        """Keys of tombstones that a peer may not have had. O(tombstones)."""
        return [key for key, grave in self._graves.items() if peer not in grave.had_by][:count]

    def forgettable(self, now_s: float) -> list[str]:
        """Keys whose tombstones are no longer needed. O(tombstones)."""
        return [
            key for key, grave in self._graves.items() if grave.had_by >= self._peers and now_s - grave.since_s > self._grace_s
        ]

    def window(self, now_s: float) -> int:
        """The current window of time; a window is half a grace period long."""
        return math.floor(now_s / (self._grace_s / 2))

    def in_time(self, window: int, now_s: float) -> bool:
        """Whether a message of this window was composed less than a grace period ago."""
        return window >= self.window(now_s) - 1
