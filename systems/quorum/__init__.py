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
from systems.quorum.messages import MAX_VALUE_BYTES
from systems.quorum.placement import Placement
from systems.quorum.watch import Watch

__all__ = ["BUGS", "Quorum"]

_SIZES: Final = ((3, 2, 2), (5, 3, 3), (4, 3, 2), (3, 1, 3))
"""Replicas, and the sizes of read and write quorums."""

_COMPACT_AT_KIB: Final = (3, 1024)


@dataclass(frozen=True, kw_only=True)
class Quorum:
    """Quorum reads and writes with read repair (ABD): linearizable; acknowledged means on disk at a write quorum.

    Nodes `n1`, `n2`, … coordinate for the clients that ask them. `caveats` says what other settings do not promise.

    Messages between nodes carry checksums: one in which a link has flipped bits counts as lost. Those of clients carry none.
    """

    bugs: ClassVar = BUGS

    replicas: int = 3
    """How many nodes hold a key."""
    read: int = 2
    """How many replicas a read, and a write that chooses its version, wait for."""
    write: int = 2
    """How many replicas have a value on disk before it is acknowledged."""
    size: int | None = None
    """How many nodes there are; None: as many as replicas."""
    sloppy: bool = False
    """Whether other nodes stand in for replicas that do not answer: they keep values for those, and count for quorums."""
    hedge_ms: float | None = None
    """A read asks only as many replicas as it needs, and the others after this long; None: all at once."""
    memory: bool = False
    """Whether entries are kept in memory only: acknowledged then means in the memory of a write quorum."""
    request_read: int | None = None
    request_write: int | None = None
    """Quorum sizes that clients ask for with each request; None: the nodes' own. A replica that rebuilds a lost log asks enough
    others to know what write quorums of either size have."""
    padding_kib: int = 0
    """How much clients add to each value that they write; they take it off what they read, so that histories stay small."""
    hinted_handoff: bool = True
    """Whether a coordinator keeps writes that a replica missed, and delivers them when it is back."""
    repair_every_s: float | None = 1.0
    """How often a node compares its entries with those of a peer; None: never."""
    tombstone_grace_s: float | None = None
    """How long a tombstone is kept at least. It is dropped once every replica has it; None: never."""
    compact_at_kib: int = 1024
    """A replica's log is compacted when it has grown to this."""
    cluster: str = "quorum"
    """Nodes do not answer nodes of another cluster, and do not start on its data."""
    bug: str | None = None
    """The name of a known bug in the nodes."""

    def __post_init__(self) -> None:
        sizes = {"read": self.read, "write": self.write, "request_read": self.request_read, "request_write": self.request_write}
        for name, quorum in sizes.items():
            if quorum is not None and not 1 <= quorum <= self.replicas:
                raise UsageError(
                    f"Quorum({name}={quorum!r}, replicas={self.replicas!r}): between 1 and the number of replicas."
                )
        if self.size is not None and self.size < self.replicas:
            raise UsageError(f"Quorum(size={self.size!r}, replicas={self.replicas!r}): at least as many nodes as replicas.")
        if self.sloppy and len(self.entries()) == self.replicas:
            raise UsageError(
                f"Quorum(sloppy=True, replicas={self.replicas!r}): every node is a replica, so none can stand in. Give size= a"
                f" number above {self.replicas}."
            )
        for name, number in (("hedge_ms", self.hedge_ms), ("repair_every_s", self.repair_every_s)):
            if number is not None and not 0 < number < float("inf"):
                raise UsageError(f"Quorum({name}={number!r}): a number above 0, or None.")
        if self.tombstone_grace_s is not None and not 0 < self.tombstone_grace_s < float("inf"):
            raise UsageError(f"Quorum(tombstone_grace_s={self.tombstone_grace_s!r}): a number of seconds above 0, or None.")
        if self.compact_at_kib < 1:
            raise UsageError(f"Quorum(compact_at_kib={self.compact_at_kib!r}): a whole number of KiB, at least 1.")
        if not 0 <= self.padding_kib < MAX_VALUE_BYTES // 1024:
            raise UsageError(
                f"Quorum(padding_kib={self.padding_kib!r}): a whole number of KiB, less than the"
                f" {MAX_VALUE_BYTES // 1024} of the longest value."
            )
        BUGS.variant(self.bug)

    @property
    def withstands(self) -> frozenset[Harm]:
        """What the store survives. Entries kept only in memory do not survive a power loss of all nodes at once."""
        always: frozenset[Harm] = frozenset({"wrong clock"})
        return always if self.memory else always | {"power loss", "failed sync", "full disk", "flipped bit", "flipped bits"}

    @property
    def unpromised(self) -> frozenset[str]:
        """The checks that these settings do not promise to pass."""
        if self.sloppy or self.read_size + self.write_size <= self.replicas:
            return frozenset({"linearizable", "nothing_lost"})
        return frozenset()

    def caveats(self) -> Sequence[str]:
        """What these settings do not promise, a line each."""
        told = []
        if self.read_size + self.write_size <= self.replicas:
            told.append(
                f"read + write = {self.read_size} + {self.write_size} is not more than {self.replicas} replicas: a read may"
                " miss every replica that has the newest value, and no compare-and-set is done. Replicas agree in the end."
            )
        if self.sloppy:
            told.append(
                "sloppy: nodes that stand in make quorums which need not meet, so reads may be stale and no compare-and-set is"
                " done. Replicas agree in the end."
            )
        if self.memory:
            told.append(
                f"memory: what is acknowledged is lost if {self.write} of a key's replicas die before one of them is back."
            )
        return told

    @property
    def read_size(self) -> int:
        """The size of the read quorums that clients' requests get."""
        return self.request_read or self.read

    @property
    def write_size(self) -> int:
        return self.request_write or self.write

    def nodes(self) -> Sequence[Node]:
        names = self.entries()
        config = {
            "cluster": self.cluster,
            "replicas": self.replicas,
            "read": self.read,
            "write": self.write,
            "request_write": self.request_write,
            "sloppy": self.sloppy,
            "hedge_ms": self.hedge_ms,
            "memory": self.memory,
            "hinted_handoff": self.hinted_handoff,
            "repair_every_s": self.repair_every_s,
            "tombstone_grace_s": self.tombstone_grace_s,
            "compact_at_kib": self.compact_at_kib,
            "bug": self.bug,
        }
        return [
            Node(name=name, code="systems.quorum.node", peers=tuple(peer for peer in names if peer != name), config=config)
            for name in names
        ]

    def entries(self) -> Sequence[str]:
        return [f"n{number}" for number in range(1, (self.size or self.replicas) + 1)]

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return QuorumClient(
            index, list(entries.items()), read=self.request_read, write=self.request_write, padding_kib=self.padding_kib
        )

    @property
    def quiet_s(self) -> float:
        """Replicas whose quorums need not meet agree by anti-entropy alone: time for a few rounds."""
        meet = self.read + self.write > self.replicas
        return 0.0 if meet or self.repair_every_s is None else 3 * self.repair_every_s

    def varied(self, random: Random) -> Quorum:
        """Logs that are compacted all the time, or never; and other sizes of quorums that meet, if the drill's meet as well."""
        # Never fewer replicas than the drill has, which may name each of them in its faults.
        sizes = [size for size in _SIZES if size[0] >= self.replicas]
        chosen = self.size is not None or self.request_read is not None or self.request_write is not None
        same = random.random() < 0.5 or chosen or not sizes or self.read + self.write <= self.replicas
        replicas, read, write = (self.replicas, self.read, self.write) if same else random.choice(sizes)
        return replace(self, replicas=replicas, read=read, write=write, compact_at_kib=random.choice(_COMPACT_AT_KIB))

    def cores(self) -> Sequence[Sequence[str]]:
        """Sets of nodes that are large enough for a quorum of any key."""
        names = self.entries()
        size = len(names) - self.replicas + max(self.read, self.write, self.replicas // 2 + 1)
        return [[names[(first + place) % len(names)] for place in range(size)] for first in range(len(names))]

    def invariant(self) -> Invariant:
        names = self.entries()
        return Watch(
            Placement(names[0], names, self.replicas),
            write=min(self.write, self.write_size),
            read=None if self.unpromised else max(self.read, self.read_size),
            repairs=self.repair_every_s is not None,
            durable=not self.memory,
            tombstones_dropped=self.tombstone_grace_s is not None,
        )
