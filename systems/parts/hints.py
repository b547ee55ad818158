"""Hinted handoff: updates that other replicas missed, kept for them while they are away, bounded in number and age.

G. DeCandia et al., "Dynamo: Amazon's Highly Available Key-value Store", SOSP 2007, section 4.6. Hints are a shortcut: what is
dropped here because it is too old or too much is left to anti-entropy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Hint(Generic[T]):
    """An update of a key that a peer has missed."""

    key: str
    what: T
    since_s: float
    """When the key's first undelivered hint was left; a newer hint for the same key replaces only `what`."""


class Hints(Generic[T]):
    """The hints for all peers, at most one per key and peer. It has no clock: times are seconds of the caller's clock."""

    def __init__(self, peers: Iterable[str], *, most: int, keep_s: float) -> None:
        """Keep at most `most` hints for each peer, each for at most `keep_s`."""
        self._hints: dict[str, dict[str, Hint[T]]] = {peer: {} for peer in peers}
        self._most = most
        self._keep_s = keep_s

    def leave(self, peer: str, key: str, what: T, now_s: float, *, again: bool = False) -> bool:
        """Keep a hint for a peer, in place of an older one for the key; False if there are too many. O(1).

        `again`: it was kept before a restart, so it is accepted even if there are too many.
        """
        hints = self._hints[peer]
        before = hints.get(key)
        if before is None and len(hints) >= self._most and not again:
            return False
        hints[key] = Hint(key, what, now_s if before is None else before.since_s)
        return True

    def get(self, peer: str, key: str) -> Hint[T] | None:
        """The hint for a peer and key. O(1)."""
        return self._hints[peer].get(key)

    def of(self, peer: str) -> Mapping[str, Hint[T]]:
        """All hints for a peer by key, read-only. O(1)."""
        return self._hints[peer]

    def oldest(self, peer: str, count: int) -> list[Hint[T]]:
        """A peer's oldest hints, the oldest first. O(count)."""
        return [hint for hint, _ in zip(self._hints[peer].values(), range(count), strict=False)]

    def delivered(self, peer: str, hint: Hint[T], now_s: float) -> bool:
        """The peer has this hint on its disk. Returns whether the key is done; False if a newer hint for it remains. O(1)."""
        newest = self._hints[peer].pop(hint.key, None)
        if newest is None or newest.what == hint.what:
            return newest is not None
        self._hints[peer][hint.key] = Hint(hint.key, newest.what, now_s)
        return False

    def drop(self, peer: str, key: str) -> None:
        """Drop the hint for a peer and key. O(1)."""
        self._hints[peer].pop(key, None)

    def expire(self, now_s: float, *, spare: Callable[[str], bool] = lambda _: False) -> dict[str, list[str]]:
        """Drop hints that are too old, except for the keys to spare; returns the dropped keys by peer. O(too old)."""
        dropped: dict[str, list[str]] = {}
        for peer, hints in self._hints.items():
            # Hints are in the order of their age: replacing one keeps its place.
            old = takewhile(lambda hint: now_s - hint.since_s > self._keep_s, hints.values())
            keys = [hint.key for hint in old if not spare(hint.key)]
            for key in keys:
                del hints[key]
            if keys:
                dropped[peer] = keys
        return dropped

    def waits(self, peer: str, key: str) -> bool:
        """Whether a hint waits for the peer and key."""
        return key in self._hints[peer]

    def count(self, peer: str) -> int:
        """How many hints there are for a peer."""
        return len(self._hints[peer])
