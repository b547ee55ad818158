"""Cassandra 5.0: three nodes that each hold all keys, with separate links between each pair."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

from harness.model.errors import UsageError
from harness.model.system import Address, Client, Node
from systems.foreign.cassandra import server
from systems.foreign.cassandra.client import CassandraClient
from systems.foreign.cassandra.cql import CqlConnection
from systems.foreign.cassandra.schema import make

_NAMES: Final = ("n1", "n2", "n3")
_STARTS_WITHIN_S: Final = 110.0
"""Three nodes start at once, which takes most of a minute on two busy cores."""


@dataclass(frozen=True, kw_only=True)
class Cassandra:
    """Three nodes, each key on all of them; each client asks one node, which asks as many as the consistency level says.

    `ONE` promises that all nodes agree eventually. `QUORUM` reads what a quorum has acknowledged, and the value with the later
    timestamp wins. With `transactions`, writes go through Paxos, and so do reads at `SERIAL`: the store is linearizable.
    """

    consistency: Literal["ONE", "QUORUM"] = "QUORUM"
    transactions: bool = False
    """Lightweight transactions: `IF`, and reads at `SERIAL`."""
    fake_clock: bool = False
    """Whether faults can change n1's clock, which makes it slower."""
    heap_mb: int = 384

    def __post_init__(self) -> None:
        if self.consistency not in ("ONE", "QUORUM"):
            raise UsageError(f"Cassandra(consistency={self.consistency!r}): no such level. Use 'ONE' or 'QUORUM'.")

    def nodes(self) -> Sequence[Node]:
        return [self._node(name, tuple(peer for peer in _NAMES if peer != name)) for name in _NAMES]

    def _node(self, name: str, peers: tuple[str, ...]) -> Node:
        links = (f"{{host}}:{{peer_port:{peer}}}={{peer:{peer}}}" for peer in peers)
        properties = (
            f"links={','.join(links)}",
            "cassandra.config=file://{data}/cassandra.yaml",
            "cassandra.storagedir={data}",
            "cassandra.skip_wait_for_gossip_to_settle=0",
            "java.net.preferIPv4Stack=true",
        )
        return Node(
            name=name,
            command=server.command(self.heap_mb, properties),
            peers=peers,
            setup="systems.foreign.cassandra.start",
            internal=True,
            fake_clock=self.fake_clock and name == _NAMES[0],
            starts_within_s=_STARTS_WITHIN_S,
        )

    def entries(self) -> Sequence[str]:
        return _NAMES

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return CassandraClient(index, list(entries.items()), consistency=self.consistency, transactions=self.transactions)

    def missing(self) -> str | None:
        if find_spec("cassandra") is None:
            return "Cassandra needs its client library: pip install 'distributed-ml-harness[cassandra]'"
        if shutil.which("java") is None:
            return "Cassandra needs Java 11 or 17, which is not on PATH: apt install default-jre-headless"
        if not server.installed().exists():
            return "Cassandra 5.0 is not installed: harness install cassandra (needs Maven, a JDK and half a minute)"
        return None

    def install(self) -> Path:
        return server.install()

    async def probe(self, address: Address) -> None:
        """Return when a quorum answers through the node; the table exists by then."""
        node = await CqlConnection.opened(address)
        try:
            await make(node)
        finally:
            node.close()

    async def time_ns(self, address: Address) -> int:
        """The node's clock, to the millisecond."""
        node = await CqlConnection.opened(address)
        try:
            [[milliseconds]] = await node.ask("SELECT toUnixTimestamp(now()) FROM system.local", "ONE")
        finally:
            node.close()
        return int(str(milliseconds)) * 10**6
