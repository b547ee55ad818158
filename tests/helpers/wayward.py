"""A node that does what no seed decides, gives nothing back, or tells what it sees: for tests of the simulation itself."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import socket
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from random import shuffle
from time import monotonic

import numpy as np

from harness.http.message import Request, Response
from harness.model.system import Address, Answer, Call, Client, Node
from harness.node.context import NodeContext

LATE_S = 40.0
"""How long it takes to start late: longer than nodes may that set no limit of their own."""


@dataclass(frozen=True, kw_only=True)
class Wayward:
    """One node, `n1`, which does one thing when it is asked first."""

    does: str

    def nodes(self) -> Sequence[Node]:
        return [Node(name="n1", code="tests.helpers.wayward", config={"does": self.does})]

    def entries(self) -> Sequence[str]:
        return ["n1"]

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return _Client(entries["n1"])


class _Client:
    def __init__(self, address: Address) -> None:
        from harness.http.client import HttpClient

        self._http = HttpClient(address)

    async def invoke(self, call: Call) -> Answer:
        await self._http.request("GET", "/", timeout_s=5.0)
        return Answer()

    async def close(self) -> None:
        self._http.close()


def _misbehave(does: str) -> None:
    match does:
        case "thread":
            threading.Thread(target=print).start()
        case "socket":
            socket.socket()
        case "file":
            Path("/tmp/never-written").write_text("")  # noqa: S108 - it never is
        case "clock":
            time.time()
        case "imported clock":
            monotonic()
        case "imported draw":
            shuffle([])
        case "processor time":
            time.process_time()
        case "local time":
            time.localtime()
        case "spelled time":
            time.strftime("%H:%M")
        case "datetime":
            datetime.now(UTC)
        case "date":
            date.today()
        case "given times":
            time.strftime("%H:%M", time.gmtime(0))
            datetime.fromtimestamp(time.mktime(time.localtime(0)), UTC)
            datetime.strptime("2024-01-01", "%Y-%m-%d").replace(tzinfo=UTC)
        case "random":
            random.random()
        case "long tail":
            random.lognormvariate(0, 1)
        case "identifier":
            uuid.uuid1()
        case "stream":
            random.Random()
        case "secret":
            secrets.token_hex()
        case "numpy":
            np.random.normal()
        case "exit":
            os._exit(1)
        case "executor":
            asyncio.get_running_loop().run_in_executor(None, print)
        case "other thread":
            asyncio.get_running_loop().call_soon_threadsafe(print)
        case "hang":
            while True:
                pass
        case _:
            pass


async def main(node: NodeContext) -> None:
    does = str(node.config(dict[str, str])["does"])
    if does == "clock at once":
        time.time()
    if does == "end once" and not node.disk.names():
        node.disk.replace("started", b"")
        asyncio.get_running_loop().call_later(0.8, sys.exit, 7)
    if does == "start late":
        await asyncio.sleep(LATE_S)

    async def spin() -> None:
        while True:
            await asyncio.sleep(0)

    async def handle(request: Request) -> Response:
        try:
            _misbehave(does)
        except Exception as error:  # as much code does
            return Response(500, str(error).encode())
        if does == "tell the time":
            node.event("told", node.time())
        if does == "spin":
            await asyncio.gather(*(spin() for _ in range(20)))
        return Response(200, b"")

    await node.serve(handle)
