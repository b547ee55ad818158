"""Nodes of the quorum store on real connections, inside this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import pytest

from harness.cluster.ports import HOST, reserved
from harness.http.client import HttpClient
from harness.http.message import Request, Response
from harness.http.server import Handler, listen
from harness.model.system import Address
from harness.node.context import NodeContext, NodeSpec
from systems.parts.sealing import answered
from systems.quorum import node as quorum_node
from systems.quorum import operations

T = TypeVar("T")

PATIENT_S: Final = 10.0
"""Longer than a busy machine stops now and then, which must not change what nodes answer."""


async def never(request: Request) -> Response:
    """Never answer while the connection lasts."""
    await asyncio.Event().wait()
    raise AssertionError


def sealing(handler: Handler) -> Handler:
    """A handler that also understands requests with checksums, as other nodes send them."""

    async def answer(request: Request) -> Response:
        return await answered(request, handler)

    return answer


class Nodes:
    """Nodes n1 to n3 of one store, each with its own data; nodes that are not started refuse connections."""

    def __init__(self, tmp_path: Path, ports: Sequence[int], config: dict[str, object]) -> None:
        self._tmp_path = tmp_path
        self.config = config
        self.addresses: dict[str, Address] = {f"n{number}": (HOST, port) for number, port in enumerate(ports, start=1)}
        self.running: dict[str, asyncio.Task[None]] = {}
        self.servers: list[asyncio.Server] = []
        self.clients = {name: HttpClient(address) for name, address in self.addresses.items()}

    async def start(self, *names: str) -> None:
        for name in names:
            ready = asyncio.Event()
            self.running[name] = asyncio.create_task(quorum_node.main(_Announced(self.spec(name), ready)))
            await ready.wait()

    def spec(self, name: str) -> NodeSpec:
        peers = {peer: address for peer, address in self.addresses.items() if peer != name}
        return NodeSpec(
            name=name, start=0, host=HOST, port=self.addresses[name][1], data=str(self._tmp_path / name), log="", seed=1,
            peers=peers, config={"replicas": 3, "read": 2, "write": 2, **self.config},
        )  # fmt: skip

    async def stop(self, name: str) -> None:
        task = self.running.pop(name)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        self.clients[name].close()  # an open connection outlives its server
        self.clients[name] = HttpClient(self.addresses[name])

    async def impersonate(self, name: str, handler: Handler) -> None:
        """Let something else answer at a node's address."""
        self.servers.append(await listen(sealing(handler), self.addresses[name]))

    async def get(self, name: str, key: str = "k") -> tuple[int, object]:
        return await self.ask(name, "GET", f"/kv/{key}")

    async def put(self, name: str, value: str, key: str = "k") -> tuple[int, object]:
        return await self.ask(name, "PUT", f"/kv/{key}", {"value": value})

    async def ask(self, name: str, method: str, path: str, body: object = None) -> tuple[int, object]:
        """Status and body of one request to a node."""
        encoded = b"" if body is None else msgspec.json.encode(body)
        response = await self.clients[name].request(method, path, encoded, timeout_s=20)
        return response.status, response.decode(object)

    async def close(self) -> None:
        for client in self.clients.values():
            client.close()
        for server in self.servers:
            server.close()
        for name in list(self.running):
            await self.stop(name)


class _Announced(NodeContext):
    """A node that says when it is about to listen."""

    def __init__(self, spec: NodeSpec, ready: asyncio.Event) -> None:
        super().__init__(spec)
        self._ready = ready

    async def _serve(self, server: asyncio.Server) -> None:
        self._ready.set()
        await super()._serve(server)


def store(
    tmp_path: Path, scenario: Callable[[Nodes], Coroutine[Any, Any, T]], *, phase_timeout_s: float = PATIENT_S, **config: object
) -> T:
    """Run a scenario on the nodes of one store.

    A phase that lacks answers takes `phase_timeout_s`. Make it short only if answers are missing in the scenario.
    """

    async def run() -> T:
        async with asyncio.timeout(60), _closing(Nodes(tmp_path, ports, config)) as nodes:
            return await scenario(nodes)

    with reserved(3) as ports, pytest.MonkeyPatch.context() as changed:
        for module in (operations, quorum_node):
            changed.setattr(module, "PHASE_TIMEOUT_S", phase_timeout_s)
        return asyncio.run(run())


@contextlib.asynccontextmanager
async def _closing(nodes: Nodes) -> AsyncIterator[Nodes]:
    try:
        yield nodes
    finally:
        await nodes.close()
