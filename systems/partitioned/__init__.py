"""Partitioned: a key-value store whose keys are divided among nodes that join and leave while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import ClassVar, Final, get_args

import msgspec

from harness.http.client import HttpClient
from harness.http.message import TransportError
from harness.model.errors import UsageError, hint
from harness.model.simulated import Harm, Invariant
from harness.model.system import Address, Client, Node
from systems.partitioned.bugs import BUGS
from systems.partitioned.client import SCAN_LIMIT, PartitionedClient
from systems.partitioned.messages import MAP_PATH, MEMBERS_PATH, Change, NotDone
from systems.partitioned.moving import first_map
from systems.partitioned.partition_map import Method, PartitionMap
from systems.partitioned.placing import BOUND
from systems.partitioned.watch import Watch
from systems.parts.partitioning.members import Member

__all__ = ["BUGS", "Partitioned"]

COORDINATOR: Final = "coordinator"
_ASK_S: Final = 0.5
_ASK_AGAIN_S: Final = 0.1
_ASKED_FOR_S: Final = 4.0
"""For how long a change of members is asked for if the coordinator does not answer."""

_ANY_LEAVES: Final[tuple[Method, ...]] = ("consistent", "bounded", "slots", "rendezvous", "multi-probe")
"""Those that move little whichever node leaves; "jump" does so only if it is the last one."""

_HASHING: Final[tuple[Method, ...]] = (*_ANY_LEAVES, "jump")

_ENOUGH_FOR_TWO: Final = 3
"""With as many members, one may leave although partitions have two replicas."""


@dataclass(frozen=True, kw_only=True)
class Partitioned:
    """Each key is linearizable, also while partitions move from node to node, which a map with epochs controls.

    Of the nodes `n1`, `n2`, … the first `members` hold keys from the beginning; `spares` more can join. A coordinator keeps the
    map; reads and writes work without it.
    """

    bugs: ClassVar = BUGS
    withstands: ClassVar[frozenset[Harm]] = frozenset({"power loss", "failed sync", "full disk", "wrong clock"})

    members: int = 3
    spares: int = 1
    method: Method = "consistent"
    """How partitions are divided among nodes: a way of `systems.parts.partitioning`."""
    replicas: int = 1
    partitions: int = 64
    """Into how many equal parts the hashes are divided. With the method "range" there is one part more than `boundaries`."""
    boundaries: tuple[str, ...] = ()
    """The keys between ranges, with the method "range"."""
    weights: tuple[float, ...] = ()
    """The weights of the nodes in order; each has 1 if none is given."""
    zones: int = 0
    """Nodes are in this many zones, in turn; 0: in none. Replicas of a key are in different zones."""
    balance: bool = False
    """Whether partitions move, and ranges are cut, because of their load."""
    bound: float = BOUND
    """The most load that a node should have, in multiples of its share."""
    moves_at_once: int = 4
    """How many partitions move at a time."""
    batch_kib: int = 256
    """A copy is sent in parts of about this size."""
    rate_mb_per_s: float = 64.0
    """The highest rate at which a node copies."""
    segment_kib: int = 1024
    """The size of a segment of a node's log."""
    scan_at_once: int = SCAN_LIMIT
    """How many keys of a scan a client asks a node for; it asks again where the answer ends."""
    cluster: str = "partitioned"
    """Nodes do not answer nodes of another cluster, and do not start with its data."""
    bug: str | None = None
    """The name of a known bug that the system has."""

    def __post_init__(self) -> None:
        for name in ("members", "replicas", "partitions", "moves_at_once", "batch_kib", "segment_kib", "scan_at_once"):
            if getattr(self, name) < 1:
                raise UsageError(f"Partitioned({name}={getattr(self, name)!r}): a whole number, at least 1.")
        if self.spares < 0 or self.zones < 0:
            raise UsageError(f"Partitioned(spares={self.spares!r}, zones={self.zones!r}): none, or a number above 0.")
        if not self.rate_mb_per_s > 0 or not self.bound > 1:
            raise UsageError(
                f"Partitioned(rate_mb_per_s={self.rate_mb_per_s!r}, bound={self.bound!r}): a rate above 0, a bound above 1."
            )
        if self.method not in get_args(Method):
            raise UsageError(f"Partitioned(method={self.method!r}): no such method. {hint(self.method, get_args(Method))}")
        if self.boundaries and self.method != "range":
            raise UsageError(f"Partitioned(method={self.method!r}, boundaries=…): only ranges have boundaries. Use 'range'.")
        if self.weights and len(self.weights) != self.members + self.spares:
            raise UsageError(
                f"Partitioned(weights={self.weights!r}): one for each of the {self.members + self.spares} nodes, or none."
            )
        rules = BUGS.variant(self.bug)
        first_map(self.method, self._members(), self.replicas, self.partitions, self.boundaries, rules.place)

    def nodes(self) -> Sequence[Node]:
        names = self._names()
        settings = {
            "cluster": self.cluster,
            "batch_kib": self.batch_kib,
            "rate_mb_per_s": self.rate_mb_per_s,
            "segment_kib": self.segment_kib,
            "bug": self.bug,
        }
        keeping = {
            "cluster": self.cluster,
            "method": self.method,
            "members": msgspec.to_builtins(self._members()),
            "replicas": self.replicas,
            "partitions": self.partitions,
            "boundaries": list(self.boundaries),
            "moves_at_once": self.moves_at_once,
            "balance": self.balance,
            "bound": self.bound,
            "bug": self.bug,
        }
        return [
            *(
                Node(
                    name=name,
                    code="systems.partitioned.node",
                    peers=tuple(peer for peer in names if peer != name),
                    config=settings,
                )
                for name in names
            ),
            Node(name=COORDINATOR, code="systems.partitioned.coordinator", peers=tuple(names), config=keeping, replica=False),
        ]

    def entries(self) -> Sequence[str]:
        return [*self._names(), COORDINATOR]

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        rules = BUGS.variant(self.bug)
        return PartitionedClient(index, list(entries.items()), COORDINATOR, rules, scan_at_once=self.scan_at_once)

    def varied(self, random: Random) -> Partitioned:
        """Other methods and numbers of partitions, with which each node would hold some, so that changes of members move some;
        two replicas, so that both may move at once; copies in small parts; logs that are cleaned up very often; scans of a few
        keys at a time."""
        methods = [one for one in _HASHING if one in (self.method, *_ANY_LEAVES)]
        hashing = self.method in _HASHING and not self.zones and not self.weights and not self.balance
        drawn = replace(
            self,
            method=random.choice(methods) if hashing else self.method,
            replicas=random.choice((1, 1, 2)) if self.replicas == 1 and self.members >= _ENOUGH_FOR_TWO else self.replicas,
            partitions=random.choice((4, 16, self.partitions)),
            moves_at_once=random.choice((1, 4, 16)),
            batch_kib=random.choice((1, self.batch_kib)),
            rate_mb_per_s=random.choice((0.05, self.rate_mb_per_s)),
            segment_kib=random.choice((1, self.segment_kib)),
            scan_at_once=random.choice((1, 3, self.scan_at_once)),
        )
        return drawn if drawn._each_holds() else replace(drawn, method=self.method, partitions=self.partitions)

    def _each_holds(self) -> bool:
        """Whether each node would hold a partition if all of them were members."""
        members = [self._member(name) for name in self._names()]
        full = first_map(self.method, members, self.replicas, self.partitions, self.boundaries)
        return set(full.holders) == {name for one in full.partitions for name in one.owners}

    def cores(self) -> Sequence[Sequence[str]]:
        """All nodes except the coordinator."""
        return [self._names()]

    def invariant(self) -> Invariant:
        return Watch()

    # ---------------------------------------------------------------------------------------------------- membership

    async def join(self, node: str, addresses: Mapping[str, Address]) -> str | None:
        return await _asked(addresses, Change(join=self._member(node)))

    async def leave(self, node: str, addresses: Mapping[str, Address]) -> str | None:
        return await _asked(addresses, Change(leave=node))

    async def holdings(self, addresses: Mapping[str, Address]) -> Mapping[str, int] | None:
        client = HttpClient(addresses[COORDINATOR])
        try:
            now = (await client.request("GET", MAP_PATH, timeout_s=_ASK_S)).decode(PartitionMap)
        except (TransportError, msgspec.MsgspecError):
            return None
        finally:
            client.close()
        return {name: sum(name in one.owners for one in now.partitions) for name in now.holders}

    def _names(self) -> list[str]:
        return [f"n{number}" for number in range(1, self.members + self.spares + 1)]

    def _member(self, name: str) -> Member:
        number = self._names().index(name)
        return Member(
            name,
            self.weights[number] if self.weights else 1.0,
            f"z{number % self.zones + 1}" if self.zones else "",
        )

    def _members(self) -> list[Member]:
        return [self._member(name) for name in self._names()[: self.members]]


async def _asked(addresses: Mapping[str, Address], change: Change) -> str | None:
    """Have the coordinator change its members, asking again while it does not answer. Returns why it refused or failed."""
    client, clock = HttpClient(addresses[COORDINATOR]), asyncio.get_running_loop().time
    until_s, why, again = clock() + _ASKED_FOR_S, "", False
    try:
        while clock() < until_s:
            try:
                response = await client.request("POST", MEMBERS_PATH, msgspec.json.encode(change), timeout_s=_ASK_S)
            except TransportError as error:
                why, again = f"the coordinator does not answer: {error}", True
            else:
                if response.status == 200:
                    return None
                refused = response.decode(NotDone)
                why = refused.error
                if response.status == 400:
                    return None if again and refused.in_effect else why
            await asyncio.sleep(_ASK_AGAIN_S)
    finally:
        client.close()
    return why
