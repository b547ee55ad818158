"""Eventual: a replicated key-value store that always answers, and whose replicas agree some time after the last write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import ClassVar, Final, Literal

from harness.model.errors import UsageError
from harness.model.simulated import Harm, Invariant
from harness.model.system import Address, Client, Node
from systems.eventual.bugs import BUGS
from systems.eventual.client import EventualClient, Session
from systems.eventual.resolution import KeepSiblings, LastWriterWins
from systems.eventual.watch import Watch
from systems.parts.hybrid_clock import HybridClock

__all__ = ["BUGS", "Eventual"]

_COMPACT_AT_KIB: Final = (2, 1024)


@dataclass(frozen=True, kw_only=True)
class Eventual:
    """Each node answers alone, from its own replica of every key; writes reach the other nodes afterwards.

    An acknowledged write is on one node's disk, in two files. It reaches all disks soon after: by asynchronous replication, by
    hints for a replica that is away, by read repair, and by anti-entropy between Merkle trees. Damage to one of the two files,
    a crash, or a power failure loses nothing; if a node's disk is lost for good, so is what only that node had.

    `resolve` decides between two concurrent writes. With "last-writer-wins" one of them is lost, and with wrong clocks also a
    write that is later. With "siblings" both are kept, and the next client that has read both replaces both by its write.

    Messages between nodes carry checksums: one in which a link has flipped bits counts as lost. Those of clients carry none.
    """

    bugs: ClassVar = BUGS

    replicas: int = 3
    resolve: Literal["last-writer-wins", "siblings"] = "last-writer-wins"
    sessions: bool = False
    """Whether clients send along what they have seen: they then read their own writes, and nothing older than they have read.
    A node that lacks what a client has seen asks the others, and refuses if it does not get it."""
    repaired_reads: float = 0.1
    """The share of reads after which the node asks all replicas, and brings them up to date."""
    anti_entropy_s: float | None = 0.5
    """How often a replica compares itself with another one; None: never, and tombstones are kept for good."""
    keys_per_s: float = 5000.0
    """Anti-entropy repairs at most this many keys a second."""
    hints: int = 10_000
    """At most this many writes wait for a peer. A node refuses a write for which no peer's queue has room."""
    hints_s: float = 60.0
    """How long a write waits for a peer that is away."""
    grace_s: float = 10.0
    """How long a tombstone is kept after all replicas have had it."""
    compact_at_kib: int = 1024
    """The size at which a log is compacted."""
    agree_within_s: float = 1.5
    """All replicas agree within this time after the last write and the last fault."""
    cluster: str = "eventual"
    """A node neither talks to nodes of another cluster, nor reads their data."""
    bug: str | None = None
    """The known bug that the nodes have, by its name."""

    def __post_init__(self) -> None:
        if self.replicas < 1:
            raise UsageError(f"Eventual(replicas={self.replicas!r}): at least 1.")
        if self.resolve not in ("last-writer-wins", "siblings"):
            raise UsageError(f"Eventual(resolve={self.resolve!r}): 'last-writer-wins' or 'siblings'.")
        if not 0 <= self.repaired_reads <= 1:
            raise UsageError(f"Eventual(repaired_reads={self.repaired_reads!r}): a share of the reads, between 0 and 1.")
        if self.grace_s < 1:
            raise UsageError(f"Eventual(grace_s={self.grace_s!r}): at least 1 s, longer than a request takes.")
        for name in (
            "keys_per_s",
            "hints",
            "hints_s",
            "compact_at_kib",
            *(["anti_entropy_s"] if self.anti_entropy_s is not None else []),
        ):
            if not getattr(self, name) > 0:
                raise UsageError(f"Eventual({name}={getattr(self, name)!r}): more than 0.")
        BUGS.variant(self.bug)

    @property
    def withstands(self) -> frozenset[Harm]:
        """Last-writer-wins loses writes if clocks are wrong."""
        harms: set[Harm] = {"power loss", "failed sync", "full disk", "flipped bit"}
        return frozenset(harms | {"wrong clock"} if self.resolve == "siblings" else harms)

    @property
    def quiet_s(self) -> float:
        return self.agree_within_s

    def nodes(self) -> Sequence[Node]:
        names = self.entries()
        config = {
            "cluster": self.cluster,
            "resolve": self.resolve,
            "anti_entropy_s": self.anti_entropy_s,
            "keys_per_s": self.keys_per_s,
            "hints": self.hints,
            "hints_s": self.hints_s,
            "grace_s": self.grace_s,
            "repaired_reads": self.repaired_reads,
            "compact_at_kib": self.compact_at_kib,
            "bug": self.bug,
        }
        return [
            Node(name=name, code="systems.eventual.node", peers=tuple(peer for peer in names if peer != name), config=config)
            for name in names
        ]

    def entries(self) -> Sequence[str]:
        return [f"n{number}" for number in range(1, self.replicas + 1)]

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        session = Session() if self.sessions else None
        return EventualClient(index, list(entries.items()), siblings=self.resolve == "siblings", session=session)

    def varied(self, random: Random) -> Eventual:
        """Vary the number of replicas, how long they keep hints and tombstones, the share of repaired reads, and whether logs
        are compacted all the time or never."""
        # Never fewer than the drill has, which may name each of them in its faults.
        same = self.anti_entropy_s is None or random.random() < 0.8
        replicas = self.replicas if same else max(self.replicas, random.choice((3, 5)))
        # With more peers to take turns with, anti-entropy alone does not make them agree in time.
        brief = self.anti_entropy_s is not None and replicas <= 3 and random.random() < 0.5
        return replace(
            self,
            replicas=replicas,
            hints_s=min(self.hints_s, 0.5) if brief else self.hints_s,
            grace_s=min(self.grace_s, random.choice((1.0, 10.0))),
            repaired_reads=random.choice((0.0, self.repaired_reads, 1.0)),
            compact_at_kib=random.choice(_COMPACT_AT_KIB),
        )

    def cores(self) -> Sequence[Sequence[str]]:
        """Any node alone."""
        return [[name] for name in self.entries()]

    def invariant(self) -> Invariant:
        siblings, latest = KeepSiblings(""), LastWriterWins(HybridClock("", lambda: 0))
        resolution = siblings if self.resolve == "siblings" else latest
        return Watch(resolution, agreement=self.anti_entropy_s is not None, grace_s=self.grace_s)
