"""The smallest system on which tests can try every part of the engine: nodes that answer, and misbehave on request."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

import msgspec

from harness.http.client import HttpClient
from harness.http.message import Broken, Request, Response, TransportError, Unreachable
from harness.model.system import Address, Answer, Call, CallFailed, Client, Node
from harness.node import context as nodes


@dataclass(frozen=True, kw_only=True)
class Echo:
    """`replicas` nodes, each a peer of every other. `misbehave` is what node n1 does wrong."""

    replicas: int = 1
    misbehave: Literal["no", "not start", "crash", "hang", "not come back"] = "no"
    after_s: float = 0.5

    def nodes(self) -> Sequence[Node]:
        names = [f"n{number}" for number in range(1, self.replicas + 1)]
        return [
            Node(
                name=name,
                code="tests.helpers.echo",
                peers=tuple(peer for peer in names if peer != name),
                config={"misbehave": self.misbehave if name == "n1" else "no", "after_s": self.after_s},
            )
            for name in names
        ]

    def entries(self) -> Sequence[str]:
        return [node.name for node in self.nodes()]

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        names = sorted(entries)
        return EchoClient(entries[names[index % len(names)]])


@dataclass(frozen=True, kw_only=True)
class Led(Echo):
    """The same with a leader, the last node; `broken` makes asking for it fail."""

    broken: bool = False

    async def leader(self, addresses: Mapping[str, Address]) -> str:
        if self.broken:
            raise Broken("no node leads")
        return max(addresses)


class EchoClient:
    """Asks for its call's key to be said again."""

    def __init__(self, address: Address) -> None:
        self._http = HttpClient(address)

    async def invoke(self, call: Call) -> Answer:
        try:
            reply = await self._http.request("GET", f"/{call.key}", timeout_s=10)
        except Unreachable as error:
            raise CallFailed(str(error)) from error
        return Answer(reply.body.decode(), dict(reply.headers).get("node", ""))

    async def close(self) -> None:
        self._http.close()


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """Random numbers to be said again."""

    def calls(self, random: Random) -> Iterator[Call]:
        while True:
            number = str(random.randrange(10**6))
            yield Call(kind="echo", key=number, expected=f"/{number}")


class Config(msgspec.Struct, frozen=True):
    misbehave: str
    after_s: float


async def main(node: nodes.NodeContext) -> None:
    """Answer with the path asked for. `/peer/NAME?within_s=` asks a peer `/asked`; `/count` tells how often that was."""
    config = node.config(Config)
    started_before = "started" in node.disk.names()
    node.disk.replace("started", b"")
    if config.misbehave == "not start" or (config.misbehave == "not come back" and started_before):
        node.log("there is no flux capacitor")
        sys.exit(3)
    if config.misbehave == "crash":
        asyncio.get_running_loop().call_later(config.after_s, os._exit, 7)
    if config.misbehave == "hang":
        asyncio.get_running_loop().call_later(config.after_s, time.sleep, 600)
    peers = {name: HttpClient(address) for name, address in node.peers.items()}

    asked = 0

    async def handle(request: Request) -> Response:
        nonlocal asked
        if request.path.startswith("/peer/"):
            peer = peers[request.path.removeprefix("/peer/")]
            try:
                return await peer.request("GET", "/asked", timeout_s=float(request.query.get("within_s", "0.3")))
            except TransportError as error:
                return Response(504, type(error).__name__.encode())
        asked += request.path == "/asked"
        if request.path == "/count":
            return Response.json(asked)
        return Response(200, request.path.encode(), (("node", node.name),))

    await node.serve(handle)


@dataclass(frozen=True, kw_only=True)
class Misread(Echo):
    """The same, asked by a client with a mistake in it."""

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return MisreadingClient(entries["n1"])


class MisreadingClient(EchoClient):
    """Looks for something in each answer that is not there."""

    async def invoke(self, call: Call) -> Answer:
        answer = await super().invoke(call)
        return Answer({"said": answer.value}["told"], answer.node)
