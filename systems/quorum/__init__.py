"""Quorum: a replicated key-value store whose keys are linearizable registers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import ClassVar, Final

from harness.model.errors import UsageError
from harness.model.simulated import Harm, Invariant
from harness.model.system import Address, Client, Node
from systems.quorum.bugs import BUGS
from systems.quorum.client import QuorumClient
from systems.quorum.invariant import OneValueAVersion

__all__ = ["BUGS", "Quorum"]

_SIZES: Final = ((3, 2, 2), (5, 3, 3), (4, 3, 2), (3, 1, 3))
"""Replicas, and the sizes of read and write quorums."""

_COMPACT_AT_KIB: Final = (3, 1024)


@dataclass(frozen=True, kw_only=True)
class Quorum:
    """Majority reads and writes with read repair (ABD): linearizable, and acknowledged means on disk at a majority.

    Every node `n1`, `n2`, … holds every key and coordinates for the clients that ask it.
    """

    bugs: ClassVar = BUGS
    withstands: ClassVar[frozenset[Harm]] = frozenset({"power loss", "failed sync", "full disk", "flipped bit", "wrong clock"})

    replicas: int = 3
    read: int = 2
    """How many replicas a read, and a write looking for its version, waits for."""
    write: int = 2
    """How many replicas have a value on disk before it is acknowledged."""
    compact_at_kib: int = 1024
    """A replica's log is written anew, without what is out of date, when it has grown to this."""
    bug: str | None = None
    """The name of a known bug that the nodes have."""

    def __post_init__(self) -> None:
        for name, quorum in (("read", self.read), ("write", self.write)):
            if not 1 <= quorum <= self.replicas:
                raise UsageError(
                    f"Quorum({name}={quorum!r}, replicas={self.replicas!r}): between 1 and the number of replicas."
                )
        if self.read + self.write <= self.replicas:
            raise UsageError(
                f"Quorum(replicas={self.replicas}, read={self.read}, write={self.write}): a read quorum may miss every replica"
                " of a write quorum. read + write must be more than replicas."
            )
        if self.compact_at_kib < 1:
            raise UsageError(f"Quorum(compact_at_kib={self.compact_at_kib!r}): a whole number of KiB, at least 1.")
        BUGS.variant(self.bug)

    def nodes(self) -> Sequence[Node]:
        names = self.entries()
        config = {"read": self.read, "write": self.write, "compact_at_kib": self.compact_at_kib, "bug": self.bug}
        return [
            Node(name=name, code="systems.quorum.node", peers=tuple(peer for peer in names if peer != name), config=config)
            for name in names
        ]

    def entries(self) -> Sequence[str]:
        return [f"n{number}" for number in range(1, self.replicas + 1)]

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return QuorumClient(index, list(entries.items()))

    def varied(self, random: Random) -> Quorum:
        """Logs that are compacted all the time, or never; and other sizes of quorums."""
        replicas, read, write = random.choice(_SIZES)
        same = random.random() < 0.7
        return replace(
            self,
            replicas=self.replicas if same else replicas,
            read=self.read if same else read,
            write=self.write if same else write,
            compact_at_kib=random.choice(_COMPACT_AT_KIB),
        )

    def cores(self) -> Sequence[Sequence[str]]:
        """As many as a quorum needs."""
        names = self.entries()
        size = max(self.read, self.write)
        return [[names[(first + place) % len(names)] for place in range(size)] for first in range(len(names))]

    def invariant(self) -> Invariant:
        return OneValueAVersion()
