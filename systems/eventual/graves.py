"""Tombstones, and when a node may drop them. Pure.

If one replica drops a tombstone while another one still holds the deleted value, the value comes back. So each node keeps it
until

1. every other replica has had it on its disk,
2. a grace period has passed since the last one said so, by this node's own monotonic clock, and
3. every other replica has been told once more after that.

The grace period is for messages: one that a replica composed before it had the tombstone may still be on its way with the
deleted value. Each `Store` names a window of time that its receiver told the sender before. The receiver refuses a `Store`
whose window is older than the grace period, and the sender sends its current states instead. In the same way, a node takes no
states for which it asked longer ago: it may have been frozen before it read the answer. No two clocks are compared.

A replica that does not hold a key does not keep its tombstone either, so such a message may give it the deleted value after it
was told first. When it is told again, that is deleted, and no other message follows.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from systems.eventual.messages import State


@dataclass
class _Grave:
    state: State
    since_s: float
    told_s: dict[str, float] = field(default_factory=dict)
    """When each replica that has had it was told last."""


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

    def had(self, peer: str, key: str, state: State, told_s: float, now_s: float) -> None:
        """A replica that was told at a time has this state of a key, or one that includes it, or does not hold the key."""
        grave = self._graves.get(key)
        if grave is not None and grave.state == state:
            grave.since_s = grave.since_s if peer in grave.told_s else now_s
            grave.told_s[peer] = told_s

    def had_by(self, key: str) -> Collection[str]:
        """The replicas that have had the tombstone of a key, if it is one."""
        grave = self._graves.get(key)
        return () if grave is None else grave.told_s.keys()

    def untold(self, peer: str, now_s: float) -> list[str]:
        """Keys of tombstones that a peer may not have had, or has to be told of once more. O(tombstones)."""
        return [
            key
            for key, grave in self._graves.items()
            if peer not in grave.told_s or (self._graced(grave, now_s) and not self._again(grave, peer))
        ]

    def forgettable(self, now_s: float) -> list[str]:
        """Keys whose tombstones are no longer needed. O(tombstones)."""
        return [
            key
            for key, grave in self._graves.items()
            if self._graced(grave, now_s) and all(self._again(grave, peer) for peer in self._peers)
        ]

    def _graced(self, grave: _Grave, now_s: float) -> bool:
        """Whether all have had it for a grace period."""
        return grave.told_s.keys() >= self._peers and now_s - grave.since_s > self._grace_s

    def _again(self, grave: _Grave, peer: str) -> bool:
        """Whether a peer was told once more after the grace period."""
        return grave.told_s[peer] - grave.since_s > self._grace_s

    def window(self, now_s: float) -> int:
        """The current window of time; a window is half a grace period long."""
        return math.floor(now_s / (self._grace_s / 2))

    def in_time(self, window: int, now_s: float) -> bool:
        """Whether a message of this window was composed less than a grace period ago."""
        return window >= self.window(now_s) - 1
