"""What other replicas have yet to be told: kept for them while they are away, bounded in number and in age.

Hinted hand-off of G. DeCandia et al., "Dynamo: Amazon's Highly Available Key-value Store", SOSP 2007, section 4.6. Hints are a
short cut: what is dropped from here, being too old or too much, is left to anti-entropy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Hint(Generic[T]):
    """That a peer is to be told this of a key."""

    key: str
    what: T
    since_s: float
    """When the first hint was left that the peer has not been told of; a newer one of the same key replaces only `what`."""


class Hints(Generic[T]):
    """The hints for all peers, one a key and peer. It holds no clock: times are seconds of whichever clock the caller has."""

    def __init__(self, peers: Iterable[str], *, most: int, keep_s: float) -> None:
        """At most `most` hints for each peer, none for longer than `keep_s`."""
        self._hints: dict[str, dict[str, Hint[T]]] = {peer: {} for peer in peers}
        self._most = most
        self._keep_s = keep_s

    def leave(self, peer: str, key: str, what: T, now_s: float, *, again: bool = False) -> bool:
        """Keep this for a peer in place of an older hint of the key; False if there are too many. O(1).

        `again`: it had been kept before a restart, so there is room for it.
        """
        hints = self._hints[peer]
        before = hints.get(key)
        if before is None and len(hints) >= self._most and not again:
            return False
        hints[key] = Hint(key, what, now_s if before is None else before.since_s)
        return True

    def get(self, peer: str, key: str) -> Hint[T] | None:
        """What a peer is to be told of a key. O(1)."""
        return self._hints[peer].get(key)

    def oldest(self, peer: str, count: int) -> list[Hint[T]]:
        """The first hints to tell a peer of, oldest first. O(count)."""
        return [hint for hint, _ in zip(self._hints[peer].values(), range(count), strict=False)]

    def delivered(self, peer: str, hint: Hint[T], now_s: float) -> bool:
        """The peer has it on its disk; whether that was all there is to tell of the key: a newer hint stays. O(1)."""
        newest = self._hints[peer].pop(hint.key, None)
        if newest is None or newest.what == hint.what:
            return newest is not None
        self._hints[peer][hint.key] = Hint(hint.key, newest.what, now_s)
        return False

    def drop(self, peer: str, key: str) -> None:
        """Forget what a peer was to be told of a key. O(1)."""
        self._hints[peer].pop(key, None)

    def expire(self, now_s: float, *, spare: Callable[[str], bool] = lambda _: False) -> dict[str, list[str]]:
        """Drop what is too old, except for the keys to be spared; the keys by peer, of peers with any. O(too old)."""
        dropped: dict[str, list[str]] = {}
        for peer, hints in self._hints.items():
            for hint in list(hints.values()):
                if now_s - hint.since_s <= self._keep_s:
                    break  # in the order of age: replacing keeps a key's place
                if spare(hint.key):
                    continue
                dropped.setdefault(peer, []).append(hint.key)
                del hints[hint.key]
        return dropped

    def waits(self, peer: str, key: str) -> bool:
        """Whether the peer is yet to be told of a key."""
        return key in self._hints[peer]

    def count(self, peer: str) -> int:
        """How many hints there are for a peer."""
        return len(self._hints[peer])
