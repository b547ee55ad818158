"""etcd 3.6: three members, with separate links between each pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.model.errors import UsageError
from harness.model.system import Address, Client, Node
from systems.foreign.etcd import server
from systems.foreign.etcd.client import EtcdClient
from systems.foreign.etcd.status import leading, status

_SUFFIX: Final = ".etcd"
"""The members' names among themselves end with this."""


@dataclass(frozen=True, kw_only=True)
class Etcd:
    """etcd's own server, through its JSON gateway: linearizable; what is acknowledged is on the disks of a majority."""

    members: int = 3
    serializable_reads: bool = False
    """Whether a member answers reads from what it has itself, which may be stale."""
    heartbeat_ms: int = 100
    election_ms: int = 1000
    """The least time that a member waits for its leader before it stands for election; the most is twice that."""

    def __post_init__(self) -> None:
        if self.members < 1:
            raise UsageError(f"Etcd(members={self.members!r}): a whole number of members, at least one.")
        if not 0 < 5 * self.heartbeat_ms <= self.election_ms:
            raise UsageError(
                f"Etcd(heartbeat_ms={self.heartbeat_ms!r}, election_ms={self.election_ms!r}): etcd needs election_ms to be at"
                " least five times heartbeat_ms."
            )

    def nodes(self) -> Sequence[Node]:
        names = self.entries()
        return [self._node(name, tuple(peer for peer in names if peer != name)) for name in names]

    def _node(self, name: str, peers: tuple[str, ...]) -> Node:
        ports = {name: "{internal_port}"} | {peer: f"{{peer_port:{peer}}}" for peer in peers}
        urls = {member: f"http://{member}{_SUFFIX}:{port}" for member, port in sorted(ports.items())}
        own = "http://{host}:{port}"
        command = (
            "env", "PEER_ADDRESSES=" + ",".join(f"{peer}{_SUFFIX}={{peer_host:{peer}}}" for peer in peers),
            str(server.installed()), "--name", name, "--data-dir", "{data}/member",
            "--listen-client-urls", own, "--advertise-client-urls", own,
            "--listen-peer-urls", "http://{host}:{internal_port}", "--initial-advertise-peer-urls", urls[name],
            "--initial-cluster", ",".join(f"{member}={url}" for member, url in urls.items()),
            "--heartbeat-interval", str(self.heartbeat_ms), "--election-timeout", str(self.election_ms),
            "--log-level", "warn",
        )  # fmt: skip
        return Node(name=name, command=command, peers=peers, internal=True)

    def entries(self) -> Sequence[str]:
        return [f"n{number}" for number in range(1, self.members + 1)]

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return EtcdClient(index, list(entries.items()), serializable_reads=self.serializable_reads)

    def missing(self) -> str | None:
        if server.installed().exists():
            return None
        return "etcd 3.6 is not installed: harness install etcd (needs Go and about a minute)"

    def install(self) -> Path:
        return server.install()

    async def probe(self, address: Address) -> None:
        """Return when the member answers and knows a leader."""
        if not (await status(address)).leader:
            raise ConnectionError("the member knows no leader yet")

    async def leader(self, addresses: Mapping[str, Address]) -> str:
        return await leading(addresses)
