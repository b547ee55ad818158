"""Strong: a key-value store with one primary at a time, in which backups have each write before it is acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import ClassVar, Final, Literal

from harness.http.client import HttpClient
from harness.http.message import TransportError
from harness.model.errors import UsageError
from harness.model.simulated import Harm, Invariant
from harness.model.system import Address, Client, Node
from systems.raft import Raft
from systems.strong.bugs import BUGS
from systems.strong.client import StrongClient
from systems.strong.invariant import NothingForgotten
from systems.strong.keeper import keepers_of
from systems.strong.messages import STATUS_PATH, Status
from systems.strong.protocol import majority_of

__all__ = ["BUGS", "Strong"]

_COMPACT_AT_KIB: Final = (2, 1024)
_PIECE_KIB: Final = (1, 256)
_STATUS_TIMEOUT_S: Final = 0.3
_ELECTION_MS: Final = 300


@dataclass(frozen=True, kw_only=True)
class Strong:
    """One primary, backups that have every write before it is acknowledged, and epochs that fence off deposed primaries.

    Replicas `n1`, `n2`, … hold the data. Which of them is the primary, and of which epoch, is kept by a Raft group of separate
    nodes, `k1`, `k2`, …: see `protocol` and `lease`. The store is linearizable, and an acknowledged write is on the disks of
    all replicas that are in sync, which are at least a majority, or of any majority.

    Messages between nodes carry checksums: one in which a link has flipped bits counts as lost. Those of clients carry none.
    """

    bugs: ClassVar = BUGS
    withstands: ClassVar[frozenset[Harm]] = frozenset(
        {"power loss", "failed sync", "full disk", "flipped bit", "flipped bits", "wrong clock"}
    )

    replicas: int = 3
    acknowledged_by: Literal["all", "majority"] = "all"
    """Who has a write on disk before it is acknowledged: all that are in sync, or any majority."""
    keepers: int = 3
    compact_at_kib: int = 1024
    """A replica's log is rewritten when it has grown to this size, with a snapshot in place of the executed entries."""
    piece_kib: int = 256
    """The most of entries, or of a snapshot, in one message between replicas; less if a link does not carry it in time."""
    cluster: str = "strong"
    """Replicas and keepers of another cluster are refused, and so is their data."""
    bug: str | None = None
    """The name of a known bug that the replicas have."""

    def __post_init__(self) -> None:
        if self.replicas < 2:
            raise UsageError(f"Strong(replicas={self.replicas!r}): at least 2, a primary and a backup.")
        if self.acknowledged_by not in ("all", "majority"):
            raise UsageError(f"Strong(acknowledged_by={self.acknowledged_by!r}): 'all' that are in sync, or a 'majority'.")
        if self.keepers < 1 or self.keepers % 2 == 0:
            raise UsageError(f"Strong(keepers={self.keepers!r}): an odd number; one more than that stands no more failures.")
        if self.compact_at_kib < 1:
            raise UsageError(f"Strong(compact_at_kib={self.compact_at_kib!r}): a whole number of KiB, at least 1.")
        if self.piece_kib < 1:
            raise UsageError(f"Strong(piece_kib={self.piece_kib!r}): a whole number of KiB, at least 1.")
        BUGS.variant(self.bug)

    def nodes(self) -> Sequence[Node]:
        replicas, keepers = tuple(self.entries()), tuple(self._keepers())
        config = {
            "cluster": self.cluster,
            "replicas": replicas,
            "keepers": keepers,
            "all_in_sync": self.acknowledged_by == "all",
            "compact_at_kib": self.compact_at_kib,
            "piece_kib": self.piece_kib,
            "bug": self.bug,
        }
        group = Raft(replicas=self.keepers, cluster=keepers_of(self.cluster), election_ms=_ELECTION_MS)
        of_keepers = {**group.nodes()[0].config, "members": keepers}
        return [
            *(
                Node(
                    name=name,
                    code="systems.raft.node",
                    peers=tuple(other for other in keepers if other != name),
                    config=of_keepers,
                    replica=False,
                )
                for name in keepers
            ),
            *(
                Node(
                    name=name,
                    code="systems.strong.node",
                    peers=(*(other for other in replicas if other != name), *keepers),
                    config=config,
                )
                for name in replicas
            ),
        ]

    def entries(self) -> Sequence[str]:
        return [f"n{number}" for number in range(1, self.replicas + 1)]

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return StrongClient(index, list(entries.items()))

    async def leader(self, addresses: Mapping[str, Address]) -> str:
        """The primary of the latest epoch that any replica knows. Raises `TransportError` if there is none."""
        found = await asyncio.gather(*(_status(addresses[name]) for name in self.entries() if name in addresses))
        serving = [status for status in found if status is not None and status.serves]
        if not serving:
            raise TransportError("no replica is the primary now")
        return max(serving, key=lambda status: status.epoch).name

    def varied(self, random: Random) -> Strong:
        """Writes acknowledged by all in sync or by a majority; logs rewritten often or never; more replicas; short pieces."""
        return replace(
            self,
            replicas=self.replicas if random.random() < 0.7 else max(self.replicas, random.choice((3, 4, 5))),
            acknowledged_by=random.choice(("all", "majority")),
            compact_at_kib=random.choice(_COMPACT_AT_KIB),
            piece_kib=random.choice(_PIECE_KIB),
        )

    def cores(self) -> Sequence[Sequence[str]]:
        """A majority of the replicas together with a majority of the keepers."""
        replicas, keepers = _majorities(self.entries()), _majorities(self._keepers())
        return [[*one, *keepers[number % len(keepers)]] for number, one in enumerate(replicas)]

    def invariant(self) -> Invariant:
        return NothingForgotten(None if self.acknowledged_by == "all" else majority_of(self.entries()))

    def _keepers(self) -> list[str]:
        return [f"k{number}" for number in range(1, self.keepers + 1)]


def _majorities(names: Sequence[str]) -> list[list[str]]:
    size = len(names) // 2 + 1
    return [[names[(first + place) % len(names)] for place in range(size)] for first in range(len(names))]


async def _status(address: Address) -> Status | None:
    client = HttpClient(address)
    try:
        response = await client.request("GET", STATUS_PATH, timeout_s=_STATUS_TIMEOUT_S)
        return response.decode(Status) if response.status == 200 else None
    except TransportError:
        return None
    finally:
        client.close()
