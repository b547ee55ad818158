"""A node's attempts to agree with a peer, on one key or on all."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

_AGREED_SHOWN: Final = 100
"""Far more than end between two looks at what a node shows."""


@dataclass(eq=False)
class Attempt:
    """One attempt; without a key, it is on all keys."""

    peer: str
    key: str | None = None


class Attempts:
    """Those of one node."""

    def __init__(self) -> None:
        self.under_way: dict[Attempt, None] = {}
        self.agreed: deque[Attempt] = deque(maxlen=_AGREED_SHOWN)
        """The last ones after which both were to hold the same."""

    def begin(self, peer: str, key: str | None = None) -> Attempt:
        attempt = Attempt(peer, key)
        self.under_way[attempt] = None
        return attempt

    def end(self, attempt: Attempt, *, agreed: bool) -> None:
        del self.under_way[attempt]
        if agreed:
            self.agreed.append(attempt)
