"""Raft: a replicated key-value store whose keys are linearizable registers, with compare-and-set, deletes and sessions.

The modules, and what other systems may build on:

`core/`         the protocol as a pure state machine; it knows nothing about keys and values
`replica`       a node's part in a group: the core with its disk, peers, timers and any `StateMachine`. A store that keeps its
                epochs in a group, or a coordinator that keeps the owners of partitions there, gives it a state machine of its
                own, and uses `propose`, `confirm` (then read), `leads`, `term` (a fencing token), `holds_lease`, `change`
`store`, `node` the key-value store, one such state machine, and its HTTP interface
`client`        finds the leader, and retries until the outcome is known
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from random import Random
from typing import ClassVar

from harness.model.errors import UsageError
from harness.model.simulated import Harm, Invariant
from harness.model.system import Address, Client, Node
from systems.raft import administration
from systems.raft.bugs import BUGS
from systems.raft.client import RaftClient
from systems.raft.invariant import RaftSafety

__all__ = ["BUGS", "Raft"]


@dataclass(frozen=True, kw_only=True)
class Raft:
    """Raft: one leader, a replicated log, reads that a majority confirms. Acknowledged means on disk at a majority.

    Nodes `n1`, `n2`, … are the group's members; `spares` more nodes run and can become members. Clients ask the leader.

    Messages between nodes carry checksums: one in which a link has flipped bits counts as lost. Those of clients carry none.
    """

    bugs: ClassVar = BUGS
    withstands: ClassVar[frozenset[Harm]] = frozenset(
        {"power loss", "failed sync", "full disk", "flipped bit", "flipped bits", "wrong clock"}
    )

    replicas: int = 3
    spares: int = 0
    election_ms: int = 400
    """An election begins between one and two of these after a leader was last heard. A message gets through within this time or
    counts as lost: a link that carries 1 KiB in it carries anything but a longer value, which then comes with a snapshot."""
    heartbeat_ms: int = 50
    lease_ms: int | None = None
    """How long a leader answers reads without asking after a majority has confirmed it. This assumes that the rates of clocks
    differ by no more than the ratio of this to `election_ms`; None: it asks for every read, and clocks do not matter."""
    batch: int = 256
    """The most entries in a message."""
    in_flight_kib: int = 4096
    """With this much unanswered, the leader sends a node no more entries."""
    piece_kib: int = 256
    """The largest piece of a snapshot in a message, in units of 1024 characters: a node far behind gets it in pieces."""
    compact_at_kib: int = 1024
    """When the log has grown to this, a snapshot replaces its beginning …"""
    keep: int = 200
    """… except for this many entries, so that a node that is a little behind does not need the snapshot."""
    cluster: str = "raft"
    """Nodes accept neither messages nor data folders of another cluster."""
    bug: str | None = None
    """The name of a known bug in the nodes."""

    def __post_init__(self) -> None:
        for name, least in (
            ("replicas", 1),
            ("spares", 0),
            ("batch", 1),
            ("in_flight_kib", 1),
            ("piece_kib", 1),
            ("compact_at_kib", 1),
            ("keep", 0),
            ("heartbeat_ms", 10),
        ):
            if getattr(self, name) < least:
                raise UsageError(f"Raft({name}={getattr(self, name)!r}): a whole number, at least {least}.")
        if self.election_ms < 3 * self.heartbeat_ms:
            raise UsageError(
                f"Raft(election_ms={self.election_ms!r}, heartbeat_ms={self.heartbeat_ms!r}): an election that does not wait"
                " for three heartbeats unseats leaders that are well."
            )
        if self.lease_ms is not None and not 0 < self.lease_ms < self.election_ms:
            raise UsageError(
                f"Raft(lease_ms={self.lease_ms!r}, election_ms={self.election_ms!r}): a lease ends before another node can be"
                " elected, so it is shorter than election_ms, by as much as clocks may differ."
            )
        BUGS.variant(self.bug)

    def nodes(self) -> Sequence[Node]:
        names = self.entries()
        config = {
            "members": names[: self.replicas],
            "cluster": self.cluster,
            "election_ms": self.election_ms,
            "heartbeat_ms": self.heartbeat_ms,
            "lease_ms": self.lease_ms,
            "batch": self.batch,
            "in_flight_kib": self.in_flight_kib,
            "piece_kib": self.piece_kib,
            "compact_at_kib": self.compact_at_kib,
            "keep": self.keep,
            "bug": self.bug,
        }
        return [
            Node(
                name=name,
                code="systems.raft.node",
                peers=tuple(peer for peer in names if peer != name),
                config=config,
                replica=number < self.replicas,
            )
            for number, name in enumerate(names)
        ]

    def entries(self) -> Sequence[str]:
        return [f"n{number}" for number in range(1, self.replicas + self.spares + 1)]

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return RaftClient(index, list(entries.items()))

    async def leader(self, addresses: Mapping[str, Address]) -> str:
        """The node that leads the latest term, asked until there is one."""
        return await administration.leader(addresses)

    async def hand_over(self, name: str, addresses: Mapping[str, Address]) -> str | None:
        return await administration.hand_over(name, addresses)

    async def change_member(self, name: str, joins: bool, addresses: Mapping[str, Address]) -> str | None:
        return await administration.change_member(name, joins, addresses)

    def varied(self, random: Random) -> Raft:
        """Logs that are compacted all the time, or never; small messages; another size of the group; reads by lease."""
        leased = random.random() < 0.25 and self.lease_ms is None
        return replace(
            self,
            lease_ms=self.election_ms * 4 // 5 if leased else self.lease_ms,
            replicas=self.replicas if random.random() < 0.7 else max(self.replicas, random.choice((3, 5))),
            batch=random.choice((1, 4, 256)),
            piece_kib=random.choice((1, 256)),
            compact_at_kib=random.choice((2, 16, 1024)),
            keep=random.choice((0, 3, 200)),
            in_flight_kib=random.choice((1, 4096)),
        )

    def cores(self) -> Sequence[Sequence[str]]:
        """Any majority of the initial members; with spares, all nodes, since spares may have joined."""
        if self.spares:
            return [self.entries()]
        return list(combinations(self.entries(), self.replicas // 2 + 1))

    def invariant(self) -> Invariant:
        return RaftSafety()
