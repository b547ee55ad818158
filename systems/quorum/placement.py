"""Which nodes hold a key, and which ones stand in for them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from systems.parts.partitioning.members import Members
from systems.parts.partitioning.rendezvous import Rendezvous

_KEYS_REMEMBERED: Final = 1 << 16


class Placement:
    """A key's homes are the first nodes of its preference list; the others stand in for them, in the list's order."""

    def __init__(self, me: str, names: Sequence[str], replicas: int) -> None:
        """`names` are all nodes; `me`, this node, comes first among a key's homes, as the nearest."""
        self.names = tuple(sorted(names, key=lambda name: name != me))
        self._me = me
        self._replicas = replicas
        self._rendezvous = Rendezvous(Members.named(*sorted(names)))
        self._of = lru_cache(_KEYS_REMEMBERED)(self._look_up)

    def homes(self, key: str) -> tuple[str, ...]:
        """The nodes that hold a key, this one first if it is among them."""
        return self.names if self._replicas == len(self.names) else self._of(key)[0]

    def stand_ins(self, key: str) -> tuple[str, ...]:
        """The other nodes, in the order in which they stand in."""
        return () if self._replicas == len(self.names) else self._of(key)[1]

    def first(self, key: str) -> str:
        """The one home, the same on every node, that does work which only one home should do."""
        return self._rendezvous.owner(key)

    def _look_up(self, key: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        order = self._rendezvous.owners(key, len(self.names))
        homes = sorted(order[: self._replicas], key=lambda name: name != self._me)
        return tuple(homes), order[self._replicas :]
