"""A client that sends a run of pipelined requests at once and gives back their answers as they came, byte for byte."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, cast

import httptools
import msgspec

from harness.http.message import MAX_BODY_BYTES, Broken, TransportError, Unreachable
from harness.model.system import Address

_MAX_KNOWN_HEADS: Final = 4096
_MAX_HEAD_BYTES: Final = 4096


class Answer(msgspec.Struct, frozen=True):
    """One whole answer as it came."""

    status: int
    data: bytes

    @property
    def body(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[2]


class BatchedHttpClient:
    """Runs to one address, one at a time on a connection; idle connections are kept for the next run.

    Answers whose end cannot be told from their head, or that end their connection, are not taken: for those there is `wire`.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._idle: list[_Connection] = []

    async def exchange(self, requests: Sequence[bytes], *, timeout_s: float) -> tuple[list[Answer], str | None]:
        """The answers in the order of the requests. Where some are missing, why."""
        connection = None
        try:
            async with asyncio.timeout(timeout_s):
                connection = self._take_idle() or await self._connect()
                await connection.exchange(b"".join(requests), len(requests))
        except TimeoutError:
            why = f"no {'answer' if connection else 'connection'} within {timeout_s:g} s"
        except TransportError as error:
            why = str(error)
        else:
            self._idle.append(connection)
            return connection.answers, None
        finally:
            if connection is not None and connection.open_answers:
                connection.close()
        return ([] if connection is None else connection.answers), why

    def close(self) -> None:
        """Close the idle connections."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def _take_idle(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.closing:
                return connection
        return None

    async def _connect(self) -> _Connection:
        try:
            _, connection = await asyncio.get_running_loop().create_connection(_Connection, *self.address)
        except OSError as error:
            raise Unreachable(f"no connection to {self.address[0]}:{self.address[1]}: {error.strerror or error}") from error
        return connection


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.open_answers = 0
        self._kept = b""
        self._done: asyncio.Future[None] | None = None

    @property
    def closing(self) -> bool:
        return self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    async def exchange(self, data: bytes, count: int) -> None:
        if self._transport.is_closing():
            raise Unreachable("the connection was closed before the requests were sent")
        self.answers, self.open_answers = [], count
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        await self._done

    def close(self) -> None:
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the connection ended before the answer{f': {exc}' if exc else ''}")

    def data_received(self, data: bytes) -> None:
        data = self._kept + data if self._kept else data
        at = 0
        while (end := data.find(b"\r\n\r\n", at) + 4) > 3:
            text = data[at:end]
            head = _known.get(text) or _plain_head(text)
            if head is None or not self.open_answers:
                self._fail("the answer is not one that a run can take")
                self._transport.abort()
                return
            stop = end + head[1]
            if stop > len(data):
                break
            self.answers.append(Answer(head[0], data[at:stop]))
            self.open_answers -= 1
            at = stop
        self._kept = data[at:]
        if len(self._kept) > MAX_BODY_BYTES or (self._kept and not self.open_answers):
            self._fail("the answer is too long, or nobody asked for it")
            self._transport.abort()
        elif not self.open_answers and self._done is not None and not self._done.done():
            self._done.set_result(None)

    def _fail(self, why: str) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(Broken(why))


_known: Final[dict[bytes, tuple[int, int]]] = {}
"""Status and length of the body, by the bytes of the head."""


class _HeadParser:
    def __init__(self, text: bytes) -> None:
        self.length: int | None = None
        self.plain = True
        self.complete = False
        self.parser = httptools.HttpResponseParser(self)
        try:
            self.parser.feed_data(text[:-1])
            self.plain = self.plain and not self.complete
            self.parser.feed_data(text[-1:])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.plain = False

    def on_header(self, name: bytes, value: bytes) -> None:
        match name.lower():
            case b"content-length":
                self.length = int(value)
            case b"transfer-encoding" | b"upgrade" | b"connection":
                self.plain = False

    def on_headers_complete(self) -> None:
        self.complete = True


def _plain_head(text: bytes) -> tuple[int, int] | None:
    if len(text) > _MAX_HEAD_BYTES or not text.startswith(b"HTTP/1.1 "):
        return None
    head = _HeadParser(text)
    status = int(text[9:12]) if text[9:12].isdigit() else 0
    if not head.plain or not head.complete or head.length is None or not 200 <= status < 600 or status in {204, 304}:
        return None
    if len(_known) >= _MAX_KNOWN_HEADS:
        _known.clear()
    _known[text] = found = (status, head.length)
    return found
