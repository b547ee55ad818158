"""Foreign programs that call each other: through the links, which can be cut."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from faults.partition import Partition
from harness.cluster.cluster import Cluster
from harness.cluster.ports import HOST
from harness.cluster.warden_client import WardenClient
from harness.model.errors import UsageError
from harness.model.evidence import Targets
from harness.model.placeholders import filled, peers_in
from harness.model.system import Address, Client, Node, links_of
from harness.node.context import NodeSpec
from systems.foreign.redis import Redis, RedisClient

needs_redis = pytest.mark.skipif(Redis().missing() is not None, reason=str(Redis().missing()))

DEADLINE_S = 60.0
"""Far above what anything here takes, so that a busy machine does not decide."""


@dataclass(frozen=True, kw_only=True)
class Replicated:
    """A redis-server and one that follows it."""

    def nodes(self) -> Sequence[Node]:
        (node,) = Redis(fsync=False).nodes()
        prompt = ("--repl-diskless-sync-delay", "0")
        follows = ("--replicaof", "{peer_host:primary}", "{peer_port:primary}")
        return [
            Node(name="primary", command=(*node.command, *prompt)),
            Node(name="follower", command=(*node.command, *follows), peers=("primary",)),
        ]

    def entries(self) -> Sequence[str]:
        return ["primary"]

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return RedisClient(entries["primary"])

    async def probe(self, address: Address) -> None:
        await Redis().probe(address)


async def _told(cluster: Cluster, name: str, *words: str) -> str:
    """What a redis-server answers to a command."""
    reader, writer = await asyncio.open_connection(*cluster.address(name))
    try:
        writer.write(" ".join(words).encode() + b"\r\n")
        head = (await reader.readline()).decode().strip()
        return (await reader.readexactly(int(head[1:]))).decode() if head.startswith("$") and head != "$-1" else head
    finally:
        writer.close()
        await writer.wait_closed()


async def _until_told(answer: str, cluster: Cluster, name: str, *words: str) -> None:
    while await _told(cluster, name, *words) != answer:
        await asyncio.sleep(0.01)


@needs_redis
def test_redis_servers_replicate_through_their_link_and_not_while_it_is_cut(tmp_path: Path) -> None:
    system = Replicated()
    (link,) = [link for link in links_of(system) if link.source == "follower"]
    targets = Targets(label="w0", nodes=(), links=(link,))
    fault = Partition("follower>primary")

    async def scene() -> None:
        async with (
            asyncio.timeout(DEADLINE_S),
            Cluster.opened(system, tmp_path, seed=1, plane="embedded") as cluster,
        ):
            assert await _told(cluster, "primary", "SET", "k", "before") == "+OK"
            await _until_told(":1", cluster, "primary", "WAIT", "1", "100")  # before that, the primary sends no writes
            await _until_told("before", cluster, "follower", "GET", "k")
            injected = await fault.inject(cluster, targets)
            assert await _told(cluster, "primary", "SET", "k", "during") == "+OK"
            while (await cluster.links.counters())[link.name].held_bytes("downstream") == 0:
                await asyncio.sleep(0.01)  # the write has come as far as the cut
            assert await _told(cluster, "follower", "GET", "k") == "before"
            assert (await fault.heal(cluster, targets, injected)).acted
            await _until_told("during", cluster, "follower", "GET", "k")

    asyncio.run(scene())


@pytest.mark.slow
def test_every_form_is_filled_in_and_other_braces_stay(tmp_path: Path) -> None:
    command = ("{peer:n2}", "at={peer_host:n3}/{peer_port:n3}", "{host}:{port}", '{"peer": {}}', "{peers:n2}", "{data}")
    code = "import sys; print(*sys.argv[1:], sep='|')"
    spec = NodeSpec(
        name="p", start=0, host="127.0.0.1", port=1, seed=0, data=str(tmp_path / "p"), log=str(tmp_path / "p.log"),
        command=(sys.executable, "-c", code, *command), peers={"n2": ("127.0.0.2", 22), "n3": ("127.0.0.3", 33)},
    )  # fmt: skip

    async def scene() -> None:
        async with WardenClient.opened((), tmp_path / "warden.log") as processes:
            await processes.start(spec)
            assert await processes.exit_code("p") == 0

    asyncio.run(scene())
    said = (tmp_path / "p.log").read_text().strip()
    assert said == f'127.0.0.2:22|at=127.0.0.3/33|127.0.0.1:1|{{"peer": {{}}}}|{{peers:n2}}|{tmp_path / "p"}'


def test_what_is_filled_in_is_not_looked_at_again() -> None:
    own = {"host": "h", "port": "1", "data": "/{peer:n2}"}
    assert filled("{data}{peer:n2}", own=own, peers={"n2": ("{port}", 2)}) == "/{peer:n2}{port}:2"
    assert peers_in(["{peer:a}{peer_host:b}", "{data}", "{peer_port:c}"]) == ["a", "b", "c"]


def setup(spec: NodeSpec) -> Sequence[str]:
    """What a test's node is set up by: its argument says that this ran in the node's own folder, and how often before."""
    return [f"{Path.cwd().name}, start {spec.start}"]


@pytest.mark.slow
def test_a_setup_is_called_in_the_nodes_process_before_the_program(tmp_path: Path) -> None:
    code = "import sys; print(*sys.argv[1:], sep='|')"
    spec = NodeSpec(
        name="p", start=2, host="127.0.0.1", port=1, seed=0, data=str(tmp_path / "p"), log=str(tmp_path / "p.log"),
        command=(sys.executable, "-c", code, "{internal_port}"), setup=__name__,
        internal_port=22,
    )  # fmt: skip

    async def scene() -> None:
        async with WardenClient.opened((), tmp_path / "warden.log") as processes:
            await processes.start(spec)
            assert await processes.exit_code("p") == 0

    asyncio.run(scene())
    assert (tmp_path / "p.log").read_text().strip() == "22|p, start 2"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"command": ("p", "{internal_port}")}, "its command asks for {internal_port}. Give the node internal=True."),
        ({"code": "m", "internal": True}, "internal= is for foreign programs"),
        ({"code": "m", "setup": "n"}, "setup= is for foreign programs"),
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=re.escape(told)):
        Node(name="n1", **wrong)


LISTENS_TWICE = """
import socket, sys, threading

def greet(port, text):
    with socket.create_server((sys.argv[1], int(port))) as server:
        while True:
            with server.accept()[0] as connection:
                connection.sendall(text)

threading.Thread(target=greet, args=(sys.argv[3], b"hello, peer"), daemon=True).start()
greet(sys.argv[2], b"hello, client")
"""


@dataclass(frozen=True, kw_only=True)
class Greeters:
    """Two programs that greet clients on one port and their peers on another."""

    def nodes(self) -> Sequence[Node]:
        command = (sys.executable, "-c", LISTENS_TWICE, "{host}", "{port}", "{internal_port}")
        return [Node(name=name, command=command, peers=(peer,), internal=True) for name, peer in (("n1", "n2"), ("n2", "n1"))]

    def entries(self) -> Sequence[str]:
        return ["n1"]

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        raise NotImplementedError


async def _greeting(address: Address) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    try:
        return await reader.read()
    finally:
        writer.close()


@pytest.mark.slow
def test_links_of_peers_lead_to_the_internal_port_which_they_have_themselves(tmp_path: Path) -> None:
    async def scene() -> None:
        async with (
            asyncio.timeout(DEADLINE_S),
            Cluster.opened(Greeters(), tmp_path, seed=1, plane="embedded") as cluster,
        ):
            link = cluster.links.address("n2", "n1")
            while await _greeting(link) != b"hello, peer":  # its other port may not be open yet
                await asyncio.sleep(0.01)
            assert await _greeting(cluster.links.entries["n1"]) == b"hello, client"
            assert await _greeting((HOST, link[1])) == b"hello, peer"
            assert link[0] != HOST

    asyncio.run(scene())
