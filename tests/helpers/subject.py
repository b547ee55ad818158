"""What faults on processes are tried on: nodes that log, spin, grow and open files when asked to, in a running cluster."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.http.client import HttpClient
from harness.http.message import Request, Response
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Fault
from harness.model.system import Address, Client, Node, links_of
from harness.node import context as nodes
from tests.helpers.echo import EchoClient

if TYPE_CHECKING:
    from harness.cluster.cluster import Cluster

DEADLINE_S = 30.0
"""Far above what anything here takes, so that a busy machine does not decide."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Nodes n1, n2, … that do as they are asked. `stubborn` ones do not end when told to."""

    replicas: int = 1
    stubborn: bool = False

    def nodes(self) -> Sequence[Node]:
        config = {"stubborn": self.stubborn}
        return [Node(name=f"n{number}", code="tests.helpers.subject", config=config) for number in range(1, self.replicas + 1)]

    def entries(self) -> Sequence[str]:
        return [node.name for node in self.nodes()]

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return EchoClient(entries["n1"])


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A cluster that runs, and what tests do with it."""

    cluster: Cluster
    system: Subject

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, folder: Path, system: Subject | None = None) -> AsyncIterator[Stage]:
        from harness.cluster.cluster import Cluster  # takes its time, and the nodes import this module, too

        system = system or Subject()
        async with asyncio.timeout(DEADLINE_S), Cluster.opened(system, folder, seed=1, plane="embedded") as cluster:
            yield cls(cluster=cluster, system=system)

    def targets(self, *names: str, label: str = "w0") -> Targets:
        links = tuple(link for link in links_of(self.system) if link.target in names)
        return Targets(label=label, nodes=names, links=links)

    async def ask(self, name: str, path: str, timeout_s: float = DEADLINE_S) -> str:
        """What a node answers on a connection of its own."""
        client = HttpClient(self.cluster.address(name))
        try:
            return (await client.request("GET", path, timeout_s=timeout_s)).body.decode()
        finally:
            client.close()

    async def during(self, fault: Fault, name: str, doing: Callable[[], object]) -> tuple[Evidence, Evidence]:
        """What a fault on one node says at its beginning and at its end; `doing` is awaited where it can be."""
        targets = self.targets(name)
        injected = await fault.inject(self.cluster, targets)
        result = doing()
        if asyncio.iscoroutine(result):
            await result
        return injected, await fault.heal(self.cluster, targets, injected)

    def kinds(self, name: str) -> list[str]:
        """What happened to a node, in order."""
        return [event.kind for event in self.cluster.events if event.node == name]


async def until(true: Callable[[], object]) -> None:
    """Wait for a condition; the cluster's deadline ends a wait in vain."""
    while not true():
        await asyncio.sleep(0.005)


class Config(msgspec.Struct, frozen=True):
    stubborn: bool


async def main(node: nodes.NodeContext) -> None:
    """Serve `/log?text=`, `/spin` (burn CPU time from now on), `/grow?mib=`, `/blip?mib=` (and small again), `/open?files=`."""
    held: list[object] = []
    loop = asyncio.get_running_loop()
    if node.config(Config).stubborn:
        loop.add_signal_handler(signal.SIGTERM, node.log, "I would rather not")

    def spin() -> None:
        until_s = time.monotonic() + 0.002
        while time.monotonic() < until_s:
            pass
        loop.call_soon(spin)

    def grow(mib: int) -> Response:
        try:
            held.append(bytearray(mib << 20))
        except MemoryError as error:
            node.log(f"not grown by {mib} MiB: {error!r}")
            return Response(507, b"no memory")
        return Response(200, b"done")

    def open_files(files: int) -> Response:
        try:
            held.extend([os.open(os.devnull, os.O_RDONLY) for _ in range(files)])
        except OSError as error:
            return Response(507, errno.errorcode[error.errno or 0].encode())
        return Response(200, b"done")

    async def handle(request: Request) -> Response:
        match request.path:
            case "/log":
                node.log(request.query["text"])
            case "/spin":
                spin()
            case "/grow":
                return grow(int(request.query["mib"]))
            case "/blip":
                bytearray(int(request.query["mib"]) << 20)
            case "/open":
                return open_files(int(request.query["files"]))
        return Response(200, b"done")

    await node.serve(handle)
