"""A dispatcher of Serving, and replicas that behave as tests tell them to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import NamedTuple

from harness.cluster.ports import HOST
from harness.http.deadlines import Deadline
from harness.http.message import Response
from harness.http.requests import Message, RequestHead, RequestParser
from harness.http.writing import encode_response
from harness.model.system import Address
from systems.serving.dispatch import Dispatcher


class Answer(NamedTuple):
    """What one request was answered."""

    status: int
    body: bytes


async def ask(dispatcher: Dispatcher, *bodies: bytes, deadline: Deadline | None = None) -> list[Answer]:
    """Send requests together; returns the answer to each."""
    messages = [Message(RequestHead("POST", "/predict"), body) for body in bodies]
    await dispatcher.predict(messages, deadline)
    answers = []
    for message in messages:
        head, _, body = message.answer.partition(b"\r\n\r\n")
        answers.append(Answer(int(head.split()[1]), body))
    return answers


class Choosy:
    """Pipelined replicas that treat each request as the test says.

    "well": answer it; "error": answer 500; "late": answer it and all that follow after `LATE_S`; "silent": answer neither it
    nor what follows; "breaks": break the connection off.
    """

    LATE_S = 0.3

    def __init__(self, *names: str) -> None:
        self.manner: Callable[[str, bytes], str] = lambda _name, _body: "well"
        self.batches: list[tuple[str, list[bytes]]] = []
        """At whom, and the bodies; in the order of their arrival."""
        self._names = names

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[dict[str, Address]]:
        async with contextlib.AsyncExitStack() as stack:
            addresses: dict[str, Address] = {}
            for name in self._names:
                server = await asyncio.get_running_loop().create_server(partial(_ChoosyConnection, name, self), HOST, 0)
                stack.callback(server.close)
                addresses[name] = server.sockets[0].getsockname()
            yield addresses


class _ChoosyConnection(asyncio.Protocol):
    def __init__(self, name: str, replicas: Choosy) -> None:
        self._name = name
        self._replicas = replicas
        self._parser = RequestParser()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        bodies = [message.body for message in self._parser.feed(data)]
        self._replicas.batches.append((self._name, bodies))
        for number, body in enumerate(bodies):
            match self._replicas.manner(self._name, body):
                case "well":
                    self._transport.write(encode_response(Response(200, body + b" at " + self._name.encode())))
                case "error":
                    self._transport.write(encode_response(Response(500, b"broken model")))
                case "late":
                    answers = [encode_response(Response(200, late + b" at " + self._name.encode())) for late in bodies[number:]]
                    asyncio.get_running_loop().call_later(Choosy.LATE_S, self._transport.write, b"".join(answers))
                    return
                case "silent":
                    return
                case "breaks":
                    self._transport.close()
                    return
