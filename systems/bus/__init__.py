"""Bus: publish and subscribe over a replicated log, which delivers each message to every group, in order for each key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import ClassVar

from harness.model.errors import UsageError
from harness.model.simulated import Harm, Invariant
from harness.model.system import Address, Client, Node
from systems.bus.bugs import BUGS
from systems.bus.client import BusClient
from systems.bus.invariant import BusSafety
from systems.raft import Raft

__all__ = ["BUGS", "Bus"]


@dataclass(frozen=True, kw_only=True)
class Bus:
    """Topics with partitions, replicated by Raft. An acknowledged message is on disk at a majority, once, and due to every
    group.

    Nodes `n1`, `n2`, … hold everything; the leader carries out what clients ask for. A message goes to each of the `groups`,
    whose consumers share the work: each message is leased to one of them, and to another one if it is not settled in time.
    Messages between nodes carry checksums, as in `Raft`.
    """

    bugs: ClassVar = BUGS
    withstands: ClassVar[frozenset[Harm]] = Raft.withstands

    replicas: int = 3
    partitions: int = 4
    """How many each topic has. Messages of one key are in one partition, and so in order."""
    groups: Sequence[str] = ("billing", "shipping")
    """Each group gets every message, from the first one on."""
    lease_ms: int = 1000
    """How long a consumer has to settle a message before another one gets it."""
    publish_ms: int | None = None
    """How long a producer tries to publish a message before it gives it up, and goes on to the next one; None: as long as the
    load lets it."""
    election_ms: int = 400
    heartbeat_ms: int = 50
    compact_at_kib: int = 256
    cluster: str = "bus"
    """Nodes refuse messages from nodes of another cluster, and folders that belong to it."""
    bug: str | None = None
    """The name of a known bug that the nodes have."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "groups", tuple(self.groups))  # from JSON it comes as a list
        for name in ("partitions", "lease_ms", "publish_ms"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise UsageError(f"Bus({name}={getattr(self, name)!r}): a whole number, at least 1.")
        if not self.groups or len(set(self.groups)) < len(self.groups):
            raise UsageError(f"Bus(groups={list(self.groups)}): at least one group, each of its own name.")
        self._raft()
        BUGS.variant(self.bug)

    def nodes(self) -> Sequence[Node]:
        names = self.entries()
        config = {
            "members": names,
            "cluster": self.cluster,
            "partitions": self.partitions,
            "groups": list(self.groups),
            "lease_ms": self.lease_ms,
            "election_ms": self.election_ms,
            "heartbeat_ms": self.heartbeat_ms,
            "compact_at_kib": self.compact_at_kib,
            "bug": self.bug,
        }
        return [
            Node(name=name, code="systems.bus.node", peers=tuple(peer for peer in names if peer != name), config=config)
            for name in names
        ]

    def entries(self) -> Sequence[str]:
        return self._raft().entries()

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return BusClient(index, list(entries.items()), None if self.publish_ms is None else self.publish_ms / 1e3)

    async def leader(self, addresses: Mapping[str, Address]) -> str:
        """The name of the node that leads."""
        return await self._raft().leader(addresses)

    def varied(self, random: Random) -> Bus:
        """One partition or more; very frequent or rare snapshots; producers that give up soon."""
        return replace(
            self,
            partitions=random.choice((1, 2, 4, 16)),
            compact_at_kib=random.choice((4, 256)),
            publish_ms=random.choice((self.publish_ms, self.publish_ms, 300)),
        )

    def cores(self) -> Sequence[Sequence[str]]:
        """Any majority."""
        return self._raft().cores()

    def invariant(self) -> Invariant:
        return BusSafety(self.lease_ms, self.election_ms)

    def _raft(self) -> Raft:
        return Raft(
            replicas=self.replicas,
            election_ms=self.election_ms,
            heartbeat_ms=self.heartbeat_ms,
            compact_at_kib=self.compact_at_kib,
        )
